import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ControlClient, type Datacenter, parseConfiguration, startDatacenter } from "@dcx/datacenter";
import { defaultGenesis, type EmbeddedNode, startEmbeddedNode } from "@dcx/exchange";
import {
  type AccountSigner,
  AgentClient,
  CloseReason,
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
import { z } from "zod";
import { ask, askContinuously } from "./support/checks";

const { buildImages } = require("../examples/images/build.cjs") as {
  buildImages(folder: string): Promise<{ layout: string }>;
};

jest.setTimeout(180_000);

const tenantKey = "0a".repeat(32);
const datacenterKeys = { west: "0b".repeat(32), east: "0c".repeat(32) };
type Infrastructure = NonNullable<Parameters<typeof messages.submitDeployment>[0]["infrastructures"]>[number];
type Place = keyof typeof datacenterKeys;
const logger = pino({ level: process.env["DCX_TEST_LOG"] ?? "silent" });

/** An exchange, one datacenter on it, and a tenant, without Pulumi. */
describe("a datacenter on an exchange", () => {
  let folder: string;
  let layout: string;
  let node: EmbeddedNode;
  const datacenters = new Map<Place, Datacenter>();
  const asks: ReturnType<typeof askContinuously>[] = [];
  let tenant: AccountSigner;
  let query: ExchangeQueryClient;
  let signing: SigningExchangeClient;

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), "dcx-datacenter-"));
    layout = (await buildImages(join(folder, "images"))).layout;
    tenant = await signerFromPrivateKey(tenantKey);
    const accounts = [{ address: tenant.address, balance: 1_000_000_000n }];
    for (const [place, privateKey] of Object.entries(datacenterKeys)) {
      const { address } = await signerFromPrivateKey(privateKey);
      writeFileSync(join(folder, `${place}.json`), JSON.stringify({ address, privateKey }), { mode: 0o600 });
      accounts.push({ address, balance: 1_000_000_000n });
    }
    const parameters = { blockInterval: 200n, reconfirmationPeriod: 100n, noticePeriod: 150n };
    const genesis = defaultGenesis({ chainId: "dcx-datacenter-1", accounts, parameters });
    node = await startEmbeddedNode({ home: join(folder, "node"), genesis, rpc: {}, logger });
    query = await ExchangeQueryClient.connect(node.rpcUrl);
    signing = await SigningExchangeClient.connect(query, tenant);
    for (const place of ["west", "east"] as const) await start(place);
  });

  afterAll(async () => {
    for (const asking of asks) await asking.stop();
    for (const datacenter of datacenters.values()) await datacenter.close();
    query?.close();
    await node?.close();
    rmSync(folder, { recursive: true, force: true });
  });

  async function start(place: Place): Promise<Datacenter> {
    const datacenter = await begin(place);
    await datacenter.registered;
    return datacenter;
  }

  async function begin(place: Place): Promise<Datacenter> {
    const configuration = parseConfiguration({
      chain: { endpoints: [node.rpcUrl] },
      keyFile: join(folder, `${place}.json`),
      home: join(folder, place),
      region: `us-${place}`,
      capacity: { cpu: 4, memory: "4Gi", disk: "20Gi" },
      isolation: process.env["DCX_TEST_ISOLATION"] ?? "sandbox",
      imageLayouts: [layout],
      trustedTenants: [tenant.address],
    });
    const datacenter = await startDatacenter(configuration, { logger: logger.child({ place }) });
    datacenters.set(place, datacenter);
    return datacenter;
  }

  function at(place: Place): Datacenter {
    const datacenter = datacenters.get(place);
    if (datacenter === undefined) throw new Error(`there is no datacenter ${place}`);
    return datacenter;
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

  /** Web in one place asks api in the other. */
  function twoTiers(apiImage = "dcx.example/two-tier-api:1.0"): Manifest {
    return {
      schema: 1,
      salt: "55".repeat(32),
      workloads: {
        api: { infrastructure: "east", container: { image: apiImage }, ports: [9000] },
        web: {
          infrastructure: "west",
          container: { image: "dcx.example/two-tier-web:1.0" },
          ports: [8080],
          healthCheck: { http: "/healthz", interval: 300 },
        },
      },
      connections: {
        "web-to-api": { to: "api", port: 9000, from: { workload: "web" } },
        public: { to: "web", port: 8080, from: { global: true } },
      },
    };
  }

  function infrastructure(place: Place, memory = 256n) {
    const compute = { cpu: 500n, memory: memory << 20n, disk: 1n << 30n };
    const price = parseRate("0.40/h", 200n).toString();
    const resources = [{ compute, price, collateral: 1_000n, count: 1 }];
    return { name: place, region: `us-${place}`, persist: true, resources };
  }

  async function submit(
    manifest: Manifest,
    places: readonly Place[],
    token: number,
    more: readonly Infrastructure[] = [],
  ): Promise<DeploymentId> {
    const { responses } = await signing.submit([
      messages.submitDeployment({
        tenant: tenant.address,
        infrastructures: [...places.map((place) => infrastructure(place)), ...more],
        waitDuration: 2n,
        version: Buffer.from(manifestVersion(canonicalManifest(manifest))),
        manifestEntries: Object.keys(manifest.workloads).length + Object.keys(manifest.connections).length,
        nonce: Buffer.alloc(32, 1),
        clientToken: Buffer.alloc(32, token),
      }),
    ]);
    const [response] = responses;
    if (response?.type !== "submitDeployment" || response.value.id === undefined) throw new Error("no deployment");
    return response.value.id;
  }

  async function deliver(agent: AgentClient, id: DeploymentId, manifest: Manifest): Promise<Uint8Array> {
    const text = canonicalManifest(manifest);
    const version = manifestVersion(text);
    await agent.putManifest(id, Buffer.from(version).toString("hex"), { manifest: text, stamps: {} });
    return version;
  }

  async function cancel(id: DeploymentId): Promise<void> {
    const incarnation = (await query.deployment(id)).deployment?.incarnation ?? 0n;
    await signing.submit([messages.cancelDeployment({ tenant: tenant.address, id, incarnation })]);
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

  const activeLease = (answer: QueryDeploymentResponse, place: Place = "west"): Lease | undefined =>
    answer.leases.find(({ id, state }) => state === LeaseState.ACTIVE && id?.infrastructure === place);

  const serves = (answer: QueryDeploymentResponse, version: Uint8Array): boolean =>
    Buffer.compare(activeLease(answer)?.confirmedVersion ?? Buffer.alloc(0), version) === 0;

  it("leases, runs what the chain names, survives its agent's restart, rolls, and leaves nothing behind", async () => {
    const first = manifestOf("one");
    const id = await submit(first, ["west"], 2);
    const lease = activeLease(await until(id, "a lease", (answer) => activeLease(answer) !== undefined));
    if (lease === undefined) throw new Error("no lease");
    expect(lease.datacenter).toBe(at("west").address);

    let agent = await agentOf(lease);
    const firstVersion = await deliver(agent, id, first);
    const running = await statusUntil(agent, id, ({ workloads }) => workloads["api"]?.instances[0]?.state === "ready");
    const container = running.workloads["api"]?.instances[0]?.containerId;
    const { address } = running.connections["public"] ?? {};
    expect(await (await fetch(`${address}/`)).json()).toMatchObject({ greeting: "one", region: "us-west" });
    for await (const { line } of agent.logs(id, "api")) expect(line).toMatch(/^api listens on /);
    await until(id, "a confirmation that names the version", (answer) => serves(answer, firstVersion));
    await agent.close();

    await at("west").close();
    expect(await (await fetch(`${address}/`).catch(() => undefined))?.json()).toBeUndefined();
    await start("west");
    agent = await agentOf(lease);
    const again = await statusUntil(agent, id, ({ workloads }) => workloads["api"]?.instances[0]?.state === "ready");
    expect(again.workloads["api"]?.instances[0]?.containerId).toBe(container);
    expect(await (await fetch(`${address}/`)).json()).toMatchObject({ greeting: "one" });

    const version = await deliver(agent, id, manifestOf("two"));
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
    // Named again once nothing older runs.
    await statusUntil(agent, id, ({ workloads }) => workloads["api"]?.entryDigest !== undefined);
    expect(await (await fetch(`${address}/`)).json()).toMatchObject({ greeting: "two" });

    await cancel(id);
    const gone = await statusUntil(agent, id, ({ workloads }) => Object.keys(workloads).length === 0);
    expect(gone.connections).toEqual({});
    await expect(agent.manifests(id)).rejects.toMatchObject({ refusal: "no-lease" });
    await agent.close();
    const totals = await query.totals();
    expect(totals.collateral + totals.deposits).toBe(0n);
    expect(totals.activeLeases).toBe(0n);
  });

  it("fetches the manifest from a peer, connects two places, and goes on while the exchange is away", async () => {
    const manifest = twoTiers();
    const id = await submit(manifest, ["west", "east"], 4);
    const answer = await until(
      id,
      "both leases",
      (found) => activeLease(found) !== undefined && activeLease(found, "east") !== undefined,
    );
    const [west, east] = [activeLease(answer), activeLease(answer, "east")];
    if (west === undefined || east === undefined) throw new Error("no lease");
    await using web = await agentOf(west);
    await using api = await agentOf(east);
    await deliver(web, id, manifest);
    const served = await statusUntil(web, id, ({ workloads }) => workloads["web"]?.instances[0]?.state === "ready");
    expect(served.connections["web-to-api"]).toMatchObject({ role: "source", established: true });
    expect((await api.status(id)).connections["web-to-api"]).toMatchObject({ role: "target", established: true });
    const { address } = served.connections["public"] ?? {};
    const both = { region: "us-west", api: { region: "us-east" } };
    expect(await (await fetch(`${address}/`)).json()).toMatchObject(both);

    const port = Number(new URL(node.rpcUrl).port);
    await node.close();
    expect(await (await fetch(`${address}/`)).json()).toMatchObject(both);
    node = await startEmbeddedNode({ home: join(folder, "node"), rpc: { port }, logger });
    const before = activeLease(await query.deployment(id))?.lastConfirmedHeight ?? 0n;
    await until(id, "another confirmation", (found) => (activeLease(found)?.lastConfirmedHeight ?? 0n) > before);

    await cancel(id);
    for (const agent of [web, api]) {
      await statusUntil(agent, id, ({ workloads }) => Object.keys(workloads).length === 0);
    }
    await expect(fetch(`${address}/`)).rejects.toThrow();
  });

  it("serves from the old lease until its successor does, also within one datacenter", async () => {
    const id = await submit(manifestOf("old"), ["west"], 5);
    const lease = activeLease(await until(id, "a lease", (answer) => activeLease(answer) !== undefined));
    if (lease === undefined) throw new Error("no lease");
    await using agent = await agentOf(lease);
    await deliver(agent, id, manifestOf("old"));
    const served = await statusUntil(agent, id, ({ workloads }) => workloads["api"]?.instances[0]?.state === "ready");
    const { address } = served.connections["public"] ?? {};

    const version = await deliver(agent, id, manifestOf("new"));
    const { deployment } = await query.deployment(id);
    await signing.submit([
      messages.updateDeployment({
        sender: tenant.address,
        id,
        revision: deployment?.revision ?? 0n,
        infrastructures: [infrastructure("west", 512n)],
        manifest: { version: Buffer.from(version), entries: 2 },
      }),
    ]);
    const greetings: string[] = [];
    const handedOver = until(
      id,
      "that the successor alone is left",
      ({ leases }) =>
        leases
          .filter(({ state }) => state === LeaseState.ACTIVE)
          .map((each) => each.id?.generation)
          .join() === "2",
    );
    let waiting = true;
    void handedOver.finally(() => {
      waiting = false;
    });
    while (waiting) {
      // A connection each: one that is kept would end with the instance that it leads to.
      const answer: unknown = await (await fetch(`${address}/`, { headers: { connection: "close" } })).json();
      greetings.push(z.object({ greeting: z.string() }).parse(answer).greeting);
    }
    await handedOver;
    expect(greetings).toContain("old");
    const end = await statusUntil(agent, id, ({ workloads }) => workloads["api"]?.instances[0]?.state === "ready");
    expect(end.version).toBe(Buffer.from(version).toString("hex"));
    expect(await (await fetch(`${address}/`)).json()).toMatchObject({ greeting: "new" });
    await cancel(id);
    await statusUntil(agent, id, ({ workloads }) => Object.keys(workloads).length === 0);
  });

  it("rolls a target elsewhere without a failure of any request through its connection", async () => {
    const id = await submit(twoTiers(), ["west", "east"], 6);
    const answer = await until(
      id,
      "both leases",
      (found) => activeLease(found) !== undefined && activeLease(found, "east") !== undefined,
    );
    const [west, east] = [activeLease(answer), activeLease(answer, "east")];
    if (west === undefined || east === undefined) throw new Error("no lease");
    await using web = await agentOf(west);
    await using api = await agentOf(east);
    await deliver(web, id, twoTiers());
    await deliver(api, id, twoTiers());
    const served = await statusUntil(web, id, ({ workloads }) => workloads["web"]?.instances[0]?.state === "ready");
    const { address } = served.connections["public"] ?? {};

    const asking = askContinuously(`${address}/`);
    asks.push(asking);
    for (const [image, greeting] of [
      ["dcx.example/two-tier-api:1.1", "Good day from api"],
      ["dcx.example/two-tier-api:1.0", "Hello from api"],
    ] as const) {
      const next = twoTiers(image);
      const version = await deliver(web, id, next);
      await deliver(api, id, next);
      await signing.submit([
        messages.updateDeployment({
          sender: tenant.address,
          id,
          revision: (await query.deployment(id)).deployment?.revision ?? 0n,
          manifest: { version: Buffer.from(version), entries: 4 },
        }),
      ]);
      const hex = Buffer.from(version).toString("hex");
      await statusUntil(
        api,
        id,
        (status) => status.version === hex && status.workloads["api"]?.entryDigest !== undefined,
      );
      await statusUntil(
        web,
        id,
        ({ connections, version: now }) => now === hex && connections["web-to-api"]?.established === true,
      );
      // Named by its digest, it is the only one that answers.
      expect(await ask(`${address}/`)).toMatchObject({ api: { greeting } });
    }
    const { asked, failures } = await asking.stop();
    expect(failures).toEqual([]);
    expect(asked).toBeGreaterThan(10);
    await cancel(id);
    for (const agent of [web, api]) {
      await statusUntil(agent, id, ({ workloads }) => Object.keys(workloads).length === 0);
    }
  });

  it("is up while the exchange is not, says so, and serves once it is", async () => {
    const record = (await query.datacenters({ address: at("west").address })).datacenters[0];
    const id = await submit(manifestOf("away"), ["west"], 7);
    await until(id, "a lease", (found) => activeLease(found) !== undefined);
    await at("west").close();
    const port = Number(new URL(node.rpcUrl).port);
    await node.close();
    const west = await begin("west");
    await using agent = new AgentClient(
      {
        chainId: query.chainId,
        datacenter: west.address,
        urls: [west.agentUrl],
        roots: (record?.roots ?? []).map(({ certificate }) => certificate),
      },
      { kind: "account", signer: tenant },
    );
    expect(await agent.identity()).toMatchObject({ datacenter: west.address, height: "0" });
    const refused = { status: 503, refusal: "chain-unreachable" };
    await expect(agent.status(id)).rejects.toMatchObject(refused);
    await expect(agent.quote(`${id.tenant}/${id.sequence}/west/1`)).rejects.toMatchObject(refused);
    node = await startEmbeddedNode({ home: join(folder, "node"), rpc: { port }, logger });
    await west.registered;
    await deliver(agent, id, manifestOf("away"));
    await statusUntil(agent, id, ({ workloads }) => workloads["api"]?.instances[0]?.state === "ready");
    await cancel(id);
    await statusUntil(agent, id, ({ workloads }) => Object.keys(workloads).length === 0);
  });

  it("drains: another datacenter takes over, what runs goes on until then, and nothing is left", async () => {
    // It asks the exchange itself, as its egress lets it.
    const script = `require("http").createServer(async (_, response) => {
      const answer = await fetch(process.env.DCX_ENDPOINTS + "/status");
      const { network } = (await answer.json()).result.node_info;
      response.end(JSON.stringify({ region: process.env.DCX_REGION, network, expected: process.env.DCX_CHAIN_ID }));
    }).listen(9000)`;
    const container = { image: "dcx.example/two-tier-api:1.0" };
    const command = ["/usr/local/bin/node", "-e", script];
    const manifest: Manifest = {
      schema: 1,
      salt: "77".repeat(32),
      workloads: { api: { infrastructure: "any", container, command, egress: [{ to: "exchange" }], ports: [9000] } },
      connections: { public: { to: "api", port: 9000, from: { global: true } } },
    };
    const { region: _, ...anywhere } = { ...infrastructure("west"), name: "any" };
    const id = await submit(manifest, [], 8, [anywhere]);
    const leasesOf = ({ leases }: QueryDeploymentResponse) => leases.filter(({ state }) => state === LeaseState.ACTIVE);
    const [lease] = leasesOf(await until(id, "a lease", (answer) => leasesOf(answer).length === 1));
    if (lease === undefined) throw new Error("no lease");
    const [from, to]: [Place, Place] = lease.datacenter === at("west").address ? ["west", "east"] : ["east", "west"];
    await using agent = await agentOf(lease);
    const version = await deliver(agent, id, manifest);
    const served = await statusUntil(agent, id, ({ workloads }) => workloads["api"]?.instances[0]?.state === "ready");
    const { address } = served.connections["public"] ?? {};
    const answer = { network: query.chainId, expected: query.chainId };
    expect(await ask(`${address}/`)).toEqual({ region: `us-${from}`, ...answer });
    await until(
      id,
      "that it serves",
      (found) => Buffer.compare(leasesOf(found)[0]?.confirmedVersion ?? Buffer.alloc(0), version) === 0,
    );

    const control = new ControlClient(join(folder, from));
    expect((await control.metrics()).split("\n")).toEqual(expect.arrayContaining(["dcx_leases 1", "dcx_draining 0"]));
    expect(await control.drain({ exit: true })).toMatchObject({ leases: 1, draining: { exit: true, drained: false } });
    const [, successor] = leasesOf(await until(id, "a successor", (found) => leasesOf(found).length === 2));
    expect(successor?.datacenter).toBe(at(to).address);
    expect(await ask(`${address}/`)).toMatchObject({ region: `us-${from}` });
    const after = await until(id, "that the successor alone is left", (found) => leasesOf(found).length === 1);
    const [left] = leasesOf(after);
    if (left === undefined) throw new Error("no lease");
    expect(left.datacenter).toBe(at(to).address);
    // It took over before the notice was over: nothing broke, and no collateral was lost.
    const { leases: ended } = await query.leases({ state: LeaseState.CLOSED, deployment: id });
    expect(ended.map(({ closeReason }) => closeReason)).toEqual([CloseReason.REPLACED]);
    await using next = await agentOf(left);
    const moved = await next.status(id);
    expect(await ask(`${moved.connections["public"]?.address}/`)).toEqual({ region: `us-${to}`, ...answer });

    const { drained } = at(from);
    if (!drained.aborted) await once(drained, "abort");
    expect(await control.status()).toMatchObject({ leases: 0, bids: 0, instances: 0, draining: { drained: true } });
    await cancel(id);
    await statusUntil(next, id, ({ workloads }) => Object.keys(workloads).length === 0);
    expect((await control.resume()).draining).toBeUndefined();
  });

  it("tells why it would not bid", async () => {
    const record = (await query.datacenters({ address: at("west").address })).datacenters[0];
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
        datacenter: at("west").address,
        urls: record?.agentUrls ?? [],
        roots: (record?.roots ?? []).map(({ certificate }) => certificate),
      },
      { kind: "anybody" },
    );
    const quote = await agent.quote(`${tenant.address}/${response.value.id?.sequence}/large/1`);
    expect(quote).toMatchObject({ willBid: false, reason: "capacity", message: "has not enough free cpu" });
  });
});
