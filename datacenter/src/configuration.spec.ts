import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { homedir, tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { agentNodeFlags } from "@dcx/protocol";
import { readAccountKey } from "./account-key";
import {
  ConfigurationError,
  DatacenterConfiguration,
  datacenterConfigurationSchema,
  parseConfiguration,
  readDatacenterConfiguration,
} from "./configuration";

const minimal = `
chain: { endpoints: ["http://127.0.0.1:26657"] }
keyFile: /keys/dc.json
home: /var/lib/dcx
region: us-west
capacity: { cpu: "3500m", memory: 8Gi, disk: 100Gi }
`;

describe("the configuration", () => {
  it("needs little, and reads quantities as people write them", () => {
    const configuration = readDatacenterConfiguration(minimal);
    expect(configuration.capacity).toEqual({ cpu: 3500n, memory: 8n << 30n, disk: 100n << 30n });
    expect(configuration.isolation).toBe("auto");
    expect(configuration.listen.agent).toEqual({ host: "127.0.0.1", port: 0 });
    expect(configuration.pricing).toMatchObject({ strategy: "fixed", cpu: "0.10/h" });
    expect(configuration.keepImages).toBe(7 * 24 * 3_600_000);
  });

  it("reads JSON as well", () => {
    const text = JSON.stringify({
      chain: { endpoints: ["http://[::1]:26657"] },
      keyFile: "/k",
      home: "/h",
      region: "r",
      capacity: { cpu: 4, memory: "1Gi", disk: "1Gi" },
      listen: { agent: "[::1]:8443" },
    });
    expect(readDatacenterConfiguration(text).listen.agent).toEqual({ host: "::1", port: 8443 });
  });

  it.each([
    ["capacity.memory", minimal.replace("8Gi", "8 gigabytes")],
    ["region", minimal.replace("region: us-west", "")],
    ["chain.endpoints.0", minimal.replace("http://127.0.0.1:26657", "nowhere")],
    ["pricing.cpu", `${minimal}pricing: { strategy: fixed, cpu: "much" }\n`],
    ["listen.agent", `${minimal}listen: { agent: "127.0.0.1:70000" }\n`],
    ["trustedTenant", `${minimal}trustedTenant: [a]\n`],
  ])("names %s when that is wrong", (path, text) => {
    expect(() => readDatacenterConfiguration(text, "dc.yaml")).toThrow(ConfigurationError);
    expect(() => readDatacenterConfiguration(text, "dc.yaml")).toThrow(path);
  });

  it("refuses what is no mapping", () => {
    expect(() => parseConfiguration(undefined)).toThrow(ConfigurationError);
  });
});

describe("the key file", () => {
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "dcx-key-"));
  });
  afterEach(() => rmSync(folder, { recursive: true, force: true }));

  function written(text: string, mode = 0o600): string {
    const file = join(folder, "key.json");
    writeFileSync(file, text, { mode });
    return file;
  }

  it("holds a private key or a mnemonic", () => {
    expect(readAccountKey(written(JSON.stringify({ address: "dcx1", privateKey: "ab".repeat(32) })))).toEqual({
      privateKey: "ab".repeat(32),
    });
  });

  it("must not be readable by others", () => {
    expect(() => readAccountKey(written(JSON.stringify({ privateKey: "ab".repeat(32) }), 0o644))).toThrow(/chmod 600/);
  });

  it("is never shown in an error", () => {
    const secret = "abandon abandon zoo";
    for (const text of [secret, JSON.stringify({ privatekey: secret })]) {
      try {
        readAccountKey(written(text));
        throw new Error("it was taken");
      } catch (error) {
        expect(String(error)).toContain("must be JSON");
        expect(String(error)).not.toContain("abandon");
      }
    }
  });
});

describe("host names", () => {
  const withNames = `${minimal}ingress: { domain: apps.sierra.example, certificates: [{ certificateFile: ~/a.crt, keyFile: ./a.key }] }`;

  it("have limits, and files that count from where relative paths do", () => {
    expect(readDatacenterConfiguration(withNames).ingress).toMatchObject({
      domain: "apps.sierra.example",
      certificates: [{ certificateFile: join(homedir(), "a.crt"), keyFile: resolve("a.key") }],
      connections: 10_000,
      handshakeTimeout: 10_000,
    });
    expect(readDatacenterConfiguration(minimal).ingress).toBeUndefined();
    const resolvers = ["9.9.9.9", "127.0.0.1:5353", "2620:fe::9", "[2620:fe::fe]:53"];
    const named = `${minimal}ingress: { domain: a.example, resolvers: ${JSON.stringify(resolvers)}, recheck: 10m }`;
    expect(readDatacenterConfiguration(named).ingress).toMatchObject({ resolvers, recheck: 600_000 });
  });

  it.each([
    ['ingress: { domain: a.example, resolvers: ["dns.example"] }', "ingress.resolvers.0: write an address"],
    ['ingress: { domain: a.example, resolvers: ["9.9.9.9:"] }', "ingress.resolvers.0: write an address"],
    ["ingress: { domain: Apps.example }", "ingress.domain: write a host name in lower case"],
    [`ingress: { domain: ${"a".repeat(60)}.${"b".repeat(60)}.${"c".repeat(60)}.example }`, "leaves no room"],
    ['listen: { ingress: { tls: "0.0.0.0:443" } }', "listen.ingress.tls: has no effect without ingress.domain"],
    ["advertise: { ingressPort: 443 }", "advertise.ingressPort: has no effect without ingress.domain"],
    ["ingress: { rawPorts: false }", "ingress.rawPorts: has no effect without ingress.domain"],
    ["ingress: { certificateFolder: ./tls }", "ingress.certificateFolder: has no effect without ingress.domain"],
  ])("%s is refused", (more, reason) => {
    expect(() => readDatacenterConfiguration(`${minimal}${more}`)).toThrow(reason);
  });
});

test("the example is a configuration", () => {
  const text = readFileSync(join(__dirname, "../../examples/datacenter/datacenter.yaml"), "utf8");
  expect(readDatacenterConfiguration(text)).toMatchObject({ region: "us-west", listen: { metrics: { port: 9464 } } });
});

test("its JSON schema knows every setting, and what a person may write", () => {
  const schema = datacenterConfigurationSchema();
  expect(schema).toMatchObject({
    type: "object",
    required: ["chain", "keyFile", "home", "region", "capacity"],
    additionalProperties: false,
  });
  expect(Object.keys(Object(schema["properties"])).sort()).toEqual(Object.keys(DatacenterConfiguration.shape).sort());
  expect(JSON.stringify(schema)).toContain('"const":"utilization"');
});

test("the example's unit starts the agent with what Node.js is to be started with", () => {
  const unit = readFileSync(join(__dirname, "../../examples/datacenter/dcx-datacenter.service"), "utf8");
  expect(unit).toContain(`Environment="NODE_OPTIONS=${agentNodeFlags.join(" ")}"`);
});
