import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Datacenter, parseConfiguration, startDatacenter } from "@dcx/datacenter";
import { defaultGenesis, type EmbeddedNode, startEmbeddedNode } from "@dcx/exchange";
import {
  type AccountSigner,
  AgentClient,
  canonicalManifest,
  type DeploymentId,
  type DeploymentStatus,
  ExchangeQueryClient,
  type Lease,
  LeaseState,
  type Manifest,
  manifestVersion,
  messages,
  parseRate,
  type QueryDeploymentResponse,
  SigningExchangeClient,
  signerFromPrivateKey,
} from "@dcx/protocol";
import pino from "pino";

const { buildImages } = require("../examples/images/build.cjs") as {
  buildImages(folder: string): Promise<{ layout: string }>;
};

jest.setTimeout(180_000);

const tenantKey = "0a".repeat(32);
const datacenterKey = "0b".repeat(32);
const logger = pino({ level: process.env["DCX_TEST_LOG"] ?? "silent" });

/** An exchange, one datacenter on it, and a tenant, without Pulumi. */
describe("a datacenter on an exchange", () => {
  let folder: string;
  let layout: string;
  let node: EmbeddedNode;
  let datacenter: Datacenter;
  let tenant: AccountSigner;
  let query: ExchangeQueryClient;
  let signing: SigningExchangeClient;

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), "dcx-datacenter-"));
    layout = (await buildImages(join(folder, "images"))).layout;
    tenant = await signerFromPrivateKey(tenantKey);
    const { address } = await signerFromPrivateKey(datacenterKey);
    writeFileSync(join(folder, "key.json"), JSON.stringify({ address, privateKey: datacenterKey }), { mode: 0o600 });
    const genesis = defaultGenesis({
      chainId: "dcx-datacenter-1",
      accounts: [
        { address: tenant.address, balance: 1_000_000_000n },
        { address, balance: 1_000_000_000n },
      ],
      parameters: { blockInterval: 200n, reconfirmationPeriod: 50n },
    });
    node = await startEmbeddedNode({ home: join(folder, "node"), genesis, rpc: {}, logger });
    query = await ExchangeQueryClient.connect(node.rpcUrl);
    signing = await SigningExchangeClient.connect(query, tenant);
    datacenter = await start();
    await datacenter.registered;
  });

  afterAll(async () => {
    await datacenter?.close();
    query?.close();
    await node?.close();
    rmSync(folder, { recursive: true, force: true });
  });

  function start(): Promise<Datacenter> {
    const configuration = parseConfiguration({
      chain: { endpoints: [node.rpcUrl] },
      keyFile: join(folder, "key.json"),
      home: join(folder, "datacenter"),
      region: "us-west",
      capacity: { cpu: 4, memory: "4Gi", disk: "20Gi" },
      isolation: process.getuid?.() === 0 ? "auto" : "none",
      imageLayouts: [layout],
      trustedTenants: [tenant.address],
    });
    return startDatacenter(configuration, { logger });
  }

  function manifestOf(greeting: string): Manifest {
    return {
      schema: 1,
      salt: "44".repeat(32),
      workloads: {
        api: {
          infrastructure: "west",
          container: { image: "dcx.example/two-tier-api:1.0" },
          environment: { GREETING: greeting },
          ports: [9000],
          healthCheck: { http: "/", interval: 200 },
        },
      },
      connections: { public: { to: "api", port: 9000, from: { global: true } } },
    };
  }

  async function submit(manifest: Manifest): Promise<DeploymentId> {
    const { responses } = await signing.submit([
      messages.submitDeployment({
        tenant: tenant.address,
        infrastructures: [
          {
            name: "west",
            region: "us-west",
            persist: true,
            resources: [
              {
                compute: { cpu: 500n, memory: 256n << 20n, disk: 1n << 30n },
                price: parseRate("0.40/h", 200n).toString(),
                collateral: 1_000n,
                count: 1,
              },
            ],
          },
        ],
        waitDuration: 2n,
        version: Buffer.from(manifestVersion(canonicalManifest(manifest))),
        manifestEntries: 2,
        nonce: Buffer.alloc(32, 1),
        clientToken: Buffer.alloc(32, 2),
      }),
    ]);
    const [response] = responses;
    if (response?.type !== "submitDeployment" || response.value.id === undefined) throw new Error("no deployment");
    return response.value.id;
  }

  async function until(
    id: DeploymentId,
    what: string,
    condition: (answer: QueryDeploymentResponse) => boolean,
  ): Promise<QueryDeploymentResponse> {
    const signal = AbortSignal.timeout(30_000);
    for await (const { complete } of query.blocks(signal)) {
      const answer = await query.deployment(id);
      if (complete && condition(answer)) return answer;
    }
    throw new Error(`the chain never showed ${what}`);
  }

  async function agentOf(lease: Lease): Promise<AgentClient> {
    const record = (await query.datacenters({ address: lease.datacenter })).datacenters[0];
    if (record === undefined) throw new Error("no such datacenter");
    return new AgentClient(
      {
        chainId: query.chainId,
        datacenter: lease.datacenter,
        urls: record.agentUrls,
        roots: record.roots.map(({ certificate }) => certificate),
      },
      { kind: "account", signer: tenant },
    );
  }

  async function statusUntil(
    agent: AgentClient,
    id: DeploymentId,
    condition: (status: DeploymentStatus) => boolean,
  ): Promise<DeploymentStatus> {
    const deadline = Date.now() + 60_000;
    let status = await agent.status(id);
    while (!condition(status)) {
      if (Date.now() > deadline) throw new Error(`it never came to that: ${JSON.stringify(status)}`);
      status = await agent.status(id, { after: status.cursor, wait: 10_000 });
    }
    return status;
  }

  const activeLease = (answer: QueryDeploymentResponse): Lease | undefined =>
    answer.leases.find(({ state }) => state === LeaseState.ACTIVE);

  const serves = (answer: QueryDeploymentResponse, version: Uint8Array): boolean =>
    Buffer.compare(activeLease(answer)?.confirmedVersion ?? Buffer.alloc(0), version) === 0;

  it("leases, runs what the chain names, survives its agent's restart, rolls, and leaves nothing behind", async () => {
    const first = manifestOf("one");
    const id = await submit(first);
    const lease = activeLease(await until(id, "a lease", (answer) => activeLease(answer) !== undefined));
    if (lease === undefined) throw new Error("no lease");
    expect(lease.datacenter).toBe(datacenter.address);

    let agent = await agentOf(lease);
    const text = canonicalManifest(first);
    await agent.putManifest(id, Buffer.from(manifestVersion(text)).toString("hex"), { manifest: text, stamps: {} });
    const running = await statusUntil(agent, id, ({ workloads }) => workloads["api"]?.instances[0]?.state === "ready");
    const container = running.workloads["api"]?.instances[0]?.containerId;
    const { address } = running.connections["public"] ?? {};
    expect(await (await fetch(`${address}/`)).json()).toMatchObject({ greeting: "one", region: "us-west" });
    for await (const { line } of agent.logs(id, "api")) expect(line).toMatch(/^api listens on /);
    await until(id, "a confirmation that names the version", (answer) => serves(answer, manifestVersion(text)));
    await agent.close();

    await datacenter.close();
    expect(await (await fetch(`${address}/`).catch(() => undefined))?.json()).toBeUndefined();
    datacenter = await start();
    agent = await agentOf(lease);
    const again = await statusUntil(agent, id, ({ workloads }) => workloads["api"]?.instances[0]?.state === "ready");
    expect(again.workloads["api"]?.instances[0]?.containerId).toBe(container);
    expect(await (await fetch(`${address}/`)).json()).toMatchObject({ greeting: "one" });

    const second = canonicalManifest(manifestOf("two"));
    const version = manifestVersion(second);
    await agent.putManifest(id, Buffer.from(version).toString("hex"), { manifest: second, stamps: {} });
    const revision = (await query.deployment(id)).deployment?.revision ?? 0n;
    await signing.submit([
      messages.updateDeployment({
        sender: tenant.address,
        id,
        revision,
        manifest: { version: Buffer.from(version), entries: 2 },
      }),
    ]);
    await until(id, "that the second version serves", (answer) => serves(answer, version));
    expect(await (await fetch(`${address}/`)).json()).toMatchObject({ greeting: "two" });

    const incarnation = (await query.deployment(id)).deployment?.incarnation ?? 0n;
    await signing.submit([messages.cancelDeployment({ tenant: tenant.address, id, incarnation })]);
    const gone = await statusUntil(agent, id, ({ workloads }) => Object.keys(workloads).length === 0);
    expect(gone.connections).toEqual({});
    await expect(agent.manifests(id)).rejects.toMatchObject({ refusal: "no-lease" });
    await agent.close();
    const totals = await query.totals();
    expect(totals.collateral + totals.deposits).toBe(0n);
    expect(totals.activeLeases).toBe(0n);
    expect(existsSync(join(folder, "datacenter"))).toBe(true);
  });

  it("tells why it would not bid", async () => {
    const record = (await query.datacenters({ address: datacenter.address })).datacenters[0];
    const { responses } = await signing.submit([
      messages.submitDeployment({
        tenant: tenant.address,
        infrastructures: [
          {
            name: "large",
            resources: [{ compute: { cpu: 64_000n, memory: 1n, disk: 1n }, price: `${10n ** 30n}`, count: 1 }],
          },
        ],
        waitDuration: 2n,
        version: Buffer.alloc(32, 9),
        manifestEntries: 1,
        nonce: Buffer.alloc(32, 1),
        clientToken: Buffer.alloc(32, 3),
      }),
    ]);
    const [response] = responses;
    if (response?.type !== "submitDeployment") throw new Error("no deployment");
    await using agent = new AgentClient(
      {
        chainId: query.chainId,
        datacenter: datacenter.address,
        urls: record?.agentUrls ?? [],
        roots: (record?.roots ?? []).map(({ certificate }) => certificate),
      },
      { kind: "anybody" },
    );
    const quote = await agent.quote(`${tenant.address}/${response.value.id?.sequence}/large/1`);
    expect(quote).toMatchObject({ willBid: false, reason: "capacity", message: "has not enough free cpu" });
  });
});
