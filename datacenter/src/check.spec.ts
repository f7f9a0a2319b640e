import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createDatacenterRoot, createHostLeaf } from "@dcx/protocol";
import { checkDatacenter } from "./check";
import { parseConfiguration } from "./configuration";

const folder = mkdtempSync(join(tmpdir(), "dcx-check-spec-"));
const keyFile = join(folder, "key.json");
beforeAll(() => writeFileSync(keyFile, JSON.stringify({ privateKey: "0a".repeat(32) }), { mode: 0o600 }));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

async function check(changes: object, offline = true) {
  const configuration = parseConfiguration({
    chain: { endpoints: ["http://127.0.0.1:1"] },
    keyFile,
    home: join(folder, "home", "deeper"),
    region: "us-west",
    capacity: { cpu: 1, memory: "1Gi", disk: "1Gi" },
    isolation: "none",
    ...changes,
  });
  const findings = await checkDatacenter(configuration, { offline, patience: 100 });
  return Object.fromEntries(findings.map(({ message, state, what }) => [what, `${state}: ${message}`]));
}

test("a check says what was found, and what is not as one may expect", async () => {
  expect(await check({})).toEqual({
    key: expect.stringMatching(/^good: dcx1/),
    home: expect.stringMatching(/^good: .*deeper, to be made$/),
    isolation: "warning: none, workloads are not kept apart: it serves nobody, for `trustedTenants` is empty",
    addresses: "warning: 127.0.0.1:0: reached from this machine only",
  });
});

test("a check looks at the certificates of host names", async () => {
  const ingress = async (certificates: object[]) =>
    (await check({ ingress: { domain: "apps.example", certificates } }))["host names"];
  const now = Date.now();
  const written = async (host: string, from: number, to: number) => {
    const validity = { notBefore: new Date(now - 3_600_000_000), notAfter: new Date(now + 3_600_000_000) };
    const root = await createDatacenterRoot({ chainId: "an authority", datacenter: "of its own" }, validity);
    const leaf = await createHostLeaf(root, [host], { notBefore: new Date(now + from), notAfter: new Date(now + to) });
    const files = { certificateFile: join(folder, `${host}.crt`), keyFile: join(folder, `${host}.key`) };
    writeFileSync(files.certificateFile, leaf.certificate);
    writeFileSync(files.keyFile, leaf.key);
    return files;
  };
  expect(await ingress([])).toMatch(/^warning: \*\.apps\.example: no certificate of yours is for them/);
  expect(await ingress([await written("*.other.example", -60_000, 60_000)])).toMatch(/^warning: /);
  expect(await ingress([await written("*.apps.example", -60_000, 60_000)])).toMatch(/^good: .*valid until/);
  expect(await ingress([await written("*.apps.example", -120_000, -60_000)])).toMatch(/^bad: .*it expired/);
  expect(await ingress([{ certificateFile: "/no/such", keyFile: "/no/such" }])).toBe(
    "bad: /no/such can't be read (ENOENT)",
  );
});

test("a check says what keeps a datacenter from running", async () => {
  chmodSync(keyFile, 0o644);
  try {
    const found = await check(
      {
        listen: { agent: "0.0.0.0:8443" },
        imageLayouts: ["/no/such/folder"],
        pricing: { strategy: "script", command: ["/no/such/program"] },
      },
      false,
    );
    expect(found).toMatchObject({
      key: expect.stringMatching(/^bad: .*can be read by others/),
      addresses: expect.stringMatching(/^bad: advertise.agentUrls is needed/),
      "images in /no/such/folder": "bad: there is no such folder",
      pricing: "bad: /no/such/program is no program that this user can run",
      exchange: expect.stringMatching(/^bad: /),
    });
  } finally {
    chmodSync(keyFile, 0o600);
  }
});
