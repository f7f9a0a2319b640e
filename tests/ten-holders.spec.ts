import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Datacenter, parseConfiguration, startDatacenter } from "@dcx/datacenter";
import { defaultGenesis, type EmbeddedNode, startEmbeddedNode } from "@dcx/exchange";
import {
  type AccountSigner,
  AgentClient,
  canonicalManifest,
  type DeploymentId,
  ExchangeQueryClient,
  type Manifest,
  manifestVersion,
  messages,
  parseRate,
  type QueryDeploymentResponse,
  SigningExchangeClient,
  signerFromPrivateKey,
} from "@dcx/protocol";
import pino from "pino";
import { eventually } from "./support/world";

const { buildImages } = require("../examples/images/build.cjs") as {
  buildImages(folder: string): Promise<{ layout: string }>;
};

jest.setTimeout(300_000);

const blockInterval = 200n;
const names = Array.from({ length: 10 }, (_, index) => `dc${index}`);
const keyOf = (name: string) => Buffer.alloc(32, 0x20 + names.indexOf(name)).toString("hex");

/** Ten whole agents that hold a lease each of one deployment, in this process, on a real exchange. */
describe("a deployment in ten datacenters", () => {
  const folder = mkdtempSync(join(tmpdir(), "dcx-ten-"));
  const running = new Map<string, Datacenter>();
  const logs = new Map<string, { readonly msg: string; readonly peer?: string }[]>();
  let node: EmbeddedNode;
  let query: ExchangeQueryClient;
  let signing: SigningExchangeClient;
  let tenant: AccountSigner;
  let layout: string;

  beforeAll(async () => {
    ({ layout } = await buildImages(join(folder, "images")));
    tenant = await signerFromPrivateKey("0a".repeat(32));
    const accounts = [{ address: tenant.address, balance: 1_000_000_000n }];
    for (const name of names) {
      accounts.push({ address: (await signerFromPrivateKey(keyOf(name))).address, balance: 1_000_000_000n });
    }
    // A lease outlives its agent's absence here, also on a machine that is busy.
    const parameters = { blockInterval, reconfirmationPeriod: 1_000n };
    const genesis = defaultGenesis({ chainId: "dcx-ten-1", accounts, parameters });
    node = await startEmbeddedNode({
      home: join(folder, "node"),
      genesis,
      rpc: {},
      logger: pino({ level: "silent" }),
      idleInterval: Number(blockInterval),
    });
    query = await ExchangeQueryClient.connect(node.rpcUrl);
    signing = await SigningExchangeClient.connect(query, tenant);
    for (const { registered } of await Promise.all(names.map(start))) await registered;
  });

  afterAll(async () => {
    await Promise.all(names.map(stop));
    query?.close();
    await node?.close();
    rmSync(folder, { recursive: true, force: true });
  });

  async function start(name: string): Promise<Datacenter> {
    const keyFile = join(folder, `${name}.json`);
    writeFileSync(keyFile, JSON.stringify({ privateKey: keyOf(name) }), { mode: 0o600 });
    const lines: { msg: string; peer?: string }[] = [];
    logs.set(name, lines);
    const configuration = parseConfiguration({
      chain: { endpoints: [node.rpcUrl] },
      keyFile,
      home: join(folder, name),
      region: name,
      capacity: { cpu: 1, memory: "1Gi", disk: "10Gi" },
      isolation: process.env["DCX_TEST_ISOLATION"] ?? "sandbox",
      imageLayouts: [layout],
      trustedTenants: [tenant.address],
    });
    const logger = pino({ level: "info" }, { write: (line: string) => void lines.push(JSON.parse(line)) });
    const datacenter = await startDatacenter(configuration, { logger });
    running.set(name, datacenter);
    return datacenter;
  }

  async function stop(name: string): Promise<void> {
    const datacenter = running.get(name);
    running.delete(name);
    await datacenter?.close();
  }

  const manifest: Manifest = {
    schema: 1,
    salt: "77".repeat(32),
    workloads: Object.fromEntries(
      names.map((name) => [
        `api-${name}`,
        { infrastructure: name, container: { image: "dcx.example/two-tier-api:1.0" }, ports: [9000] },
      ]),
    ),
    connections: {},
  };
  const text = canonicalManifest(manifest);
  const version = Buffer.from(manifestVersion(text));

  async function submit(): Promise<DeploymentId> {
    const compute = { cpu: 100n, memory: 128n << 20n, disk: 256n << 20n };
    const price = parseRate("0.40/h", blockInterval).toString();
    const resources = [{ compute, price, collateral: 1_000n, count: 1 }];
    const { responses } = await signing.submit([
      messages.submitDeployment({
        tenant: tenant.address,
        infrastructures: names.map((name) => ({ name, region: name, persist: true, resources })),
        waitDuration: 2n,
        version,
        manifestEntries: names.length,
        nonce: Buffer.alloc(32, 1),
        clientToken: Buffer.alloc(32, 1),
      }),
    ]);
    const [response] = responses;
    if (response?.type !== "submitDeployment" || response.value.id === undefined) throw new Error("no deployment");
    return response.value.id;
  }

  async function until(id: DeploymentId, what: string, condition: (answer: QueryDeploymentResponse) => boolean) {
    for await (const { complete } of query.blocks(AbortSignal.timeout(120_000))) {
      const answer = await query.deployment(id);
      if (complete && condition(answer)) return answer;
    }
    throw new Error(`the chain never showed ${what}`);
  }

  it("serves in all of them once one, and nobody else, has been handed the manifest", async () => {
    const id = await submit();
    const { leases } = await until(id, "ten leases", (answer) => answer.leases.length === names.length);
    const [first = "", ...others] = names;
    await Promise.all(others.map(stop));

    const { datacenter = "" } = leases.find((lease) => lease.id?.infrastructure === first) ?? {};
    const [record] = (await query.datacenters({ address: datacenter })).datacenters;
    const roots = record?.roots.map(({ certificate }) => certificate) ?? [];
    const target = { chainId: query.chainId, datacenter, urls: record?.agentUrls ?? [], roots };
    await using agent = new AgentClient(target, { kind: "account", signer: tenant });
    // It reads a lease a moment after the chain has it.
    await eventually("it takes the manifest", 120_000, async () => {
      await agent.putManifest(id, version.toString("hex"), { manifest: text, stamps: {} });
      return true;
    });
    // From here on the tenant is away.
    const confirmed = ({ confirmedVersion }: { readonly confirmedVersion: Uint8Array }) =>
      version.equals(Buffer.from(confirmedVersion));
    const alone = await until(id, "the first one serving", (answer) => answer.leases.some(confirmed));
    expect(alone.leases.filter(confirmed)).toHaveLength(1);

    await Promise.all(others.map(start));
    await until(id, "all ten serving", (answer) => answer.leases.every(confirmed));
    for (const name of others) {
      expect(logs.get(name)).toContainEqual(expect.objectContaining({ msg: "manifest fetched from a peer" }));
      expect(logs.get(name)?.map(({ msg }) => msg)).not.toContain("manifest staged");
    }
  });
});
