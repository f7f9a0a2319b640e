import { once } from "node:events";
import { ControlClient } from "@dcx/datacenter";
import {
  AgentClient,
  CloseReason,
  type Lease,
  LeaseState,
  type Manifest,
  messages,
  type QueryDeploymentResponse,
} from "@dcx/protocol";
import { z } from "zod";
import { ask, askContinuously } from "./support/checks";
import { infrastructure, type Place, statusUntil, TwoDatacenters, twoTiers } from "./support/two-datacenters";

jest.setTimeout(300_000);

const api = (greeting: string): Manifest => ({
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
});
const inBoth = [infrastructure("west"), infrastructure("east")];

/** An exchange, two datacenters on it, and a tenant, without Pulumi. */
describe("a datacenter on an exchange", () => {
  let two: TwoDatacenters;
  const asks: ReturnType<typeof askContinuously>[] = [];

  beforeAll(async () => {
    two = await TwoDatacenters.start({ reconfirmationPeriod: 100n, noticePeriod: 150n });
  });

  afterAll(async () => {
    for (const asking of asks) await asking.stop();
    await two?.close();
  });

  const activeLease = (answer: QueryDeploymentResponse, place: Place = "west"): Lease | undefined =>
    answer.leases.find(({ id, state }) => state === LeaseState.ACTIVE && id?.infrastructure === place);

  const serves = (answer: QueryDeploymentResponse, version: Uint8Array): boolean =>
    Buffer.compare(activeLease(answer)?.confirmedVersion ?? Buffer.alloc(0), version) === 0;

  it("leases, runs what the chain names, survives its agent's restart, rolls, and leaves nothing behind", async () => {
    const first = api("one");
    const id = await two.submit(first, [infrastructure("west")], 2);
    const lease = activeLease(await two.until(id, "a lease", (answer) => activeLease(answer) !== undefined));
    if (lease === undefined) throw new Error("no lease");
    expect(lease.datacenter).toBe(two.at("west").address);

    let agent = await two.agentOf(lease);
    const firstVersion = await two.deliver(agent, id, first);
    const running = await statusUntil(agent, id, ({ workloads }) => workloads["api"]?.instances[0]?.state === "ready");
    const container = running.workloads["api"]?.instances[0]?.containerId;
    const { address } = running.connections["public"] ?? {};
    expect(await (await fetch(`${address}/`)).json()).toMatchObject({ greeting: "one", region: "us-west" });
    for await (const { line } of agent.logs(id, "api")) expect(line).toMatch(/^api listens on /);
    await two.until(id, "a confirmation that names the version", (answer) => serves(answer, firstVersion));
    await agent.close();

    await two.at("west").close();
    expect(await (await fetch(`${address}/`).catch(() => undefined))?.json()).toBeUndefined();
    await (await two.begin("west")).registered;
    agent = await two.agentOf(lease);
    const again = await statusUntil(agent, id, ({ workloads }) => workloads["api"]?.instances[0]?.state === "ready");
    expect(again.workloads["api"]?.instances[0]?.containerId).toBe(container);
    expect(await (await fetch(`${address}/`)).json()).toMatchObject({ greeting: "one" });

    const version = await two.deliver(agent, id, api("two"));
    const revision = (await two.query.deployment(id)).deployment?.revision ?? 0n;
    await two.signing.submit([
      messages.updateDeployment({
        sender: two.tenant.address,
        id,
        revision,
        manifest: { version: Buffer.from(version), entries: 2 },
      }),
    ]);
    await two.until(id, "that the second version serves", (answer) => serves(answer, version));
    // Named again once nothing older runs.
    await statusUntil(agent, id, ({ workloads }) => workloads["api"]?.entryDigest !== undefined);
    expect(await (await fetch(`${address}/`)).json()).toMatchObject({ greeting: "two" });

    await two.cancel(id);
    const gone = await statusUntil(agent, id, ({ workloads }) => Object.keys(workloads).length === 0);
    expect(gone.connections).toEqual({});
    await expect(agent.manifests(id)).rejects.toMatchObject({ refusal: "no-lease" });
    await agent.close();
    const totals = await two.query.totals();
    expect(totals.collateral + totals.deposits).toBe(0n);
    expect(totals.activeLeases).toBe(0n);
  });

  it("fetches the manifest from a peer, connects two places, and goes on while the exchange is away", async () => {
    const manifest = twoTiers();
    const id = await two.submit(manifest, inBoth, 4);
    const answer = await two.until(
      id,
      "both leases",
      (found) => activeLease(found) !== undefined && activeLease(found, "east") !== undefined,
    );
    const [west, east] = [activeLease(answer), activeLease(answer, "east")];
    if (west === undefined || east === undefined) throw new Error("no lease");
    await using web = await two.agentOf(west);
    await using inEast = await two.agentOf(east);
    await two.deliver(web, id, manifest);
    const served = await statusUntil(web, id, ({ workloads }) => workloads["web"]?.instances[0]?.state === "ready");
    expect(served.connections["web-to-api"]).toMatchObject({ role: "source", established: true });
    expect((await inEast.status(id)).connections["web-to-api"]).toMatchObject({ role: "target", established: true });
    const { address } = served.connections["public"] ?? {};
    const both = { region: "us-west", api: { region: "us-east" } };
    expect(await (await fetch(`${address}/`)).json()).toMatchObject(both);

    await two.stopNode();
    expect(await (await fetch(`${address}/`)).json()).toMatchObject(both);
    await two.startNode();
    const before = activeLease(await two.query.deployment(id))?.lastConfirmedHeight ?? 0n;
    await two.until(id, "another confirmation", (found) => (activeLease(found)?.lastConfirmedHeight ?? 0n) > before);

    await two.cancel(id);
    for (const agent of [web, inEast]) {
      await statusUntil(agent, id, ({ workloads }) => Object.keys(workloads).length === 0);
    }
    await expect(fetch(`${address}/`)).rejects.toThrow();
  });

  it("serves from the old lease until its successor does, also within one datacenter", async () => {
    const id = await two.submit(api("old"), [infrastructure("west")], 5);
    const lease = activeLease(await two.until(id, "a lease", (answer) => activeLease(answer) !== undefined));
    if (lease === undefined) throw new Error("no lease");
    await using agent = await two.agentOf(lease);
    await two.deliver(agent, id, api("old"));
    const served = await statusUntil(agent, id, ({ workloads }) => workloads["api"]?.instances[0]?.state === "ready");
    const { address } = served.connections["public"] ?? {};

    const version = await two.deliver(agent, id, api("new"));
    const { deployment } = await two.query.deployment(id);
    await two.signing.submit([
      messages.updateDeployment({
        sender: two.tenant.address,
        id,
        revision: deployment?.revision ?? 0n,
        infrastructures: [infrastructure("west", 512n)],
        manifest: { version: Buffer.from(version), entries: 2 },
      }),
    ]);
    const greetings: string[] = [];
    const handedOver = two.until(
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
    await two.cancel(id);
    await statusUntil(agent, id, ({ workloads }) => Object.keys(workloads).length === 0);
  });

  it("rolls a target elsewhere without a failure of any request through its connection", async () => {
    const id = await two.submit(twoTiers(), inBoth, 6);
    const answer = await two.until(
      id,
      "both leases",
      (found) => activeLease(found) !== undefined && activeLease(found, "east") !== undefined,
    );
    const [west, east] = [activeLease(answer), activeLease(answer, "east")];
    if (west === undefined || east === undefined) throw new Error("no lease");
    await using web = await two.agentOf(west);
    await using inEast = await two.agentOf(east);
    await two.deliver(web, id, twoTiers());
    await two.deliver(inEast, id, twoTiers());
    const served = await statusUntil(web, id, ({ workloads }) => workloads["web"]?.instances[0]?.state === "ready");
    const { address } = served.connections["public"] ?? {};

    const asking = askContinuously(`${address}/`);
    asks.push(asking);
    for (const [image, greeting] of [
      ["dcx.example/two-tier-api:1.1", "Good day from api"],
      ["dcx.example/two-tier-api:1.0", "Hello from api"],
    ] as const) {
      const next = twoTiers(image);
      const version = await two.deliver(web, id, next);
      await two.deliver(inEast, id, next);
      await two.signing.submit([
        messages.updateDeployment({
          sender: two.tenant.address,
          id,
          revision: (await two.query.deployment(id)).deployment?.revision ?? 0n,
          manifest: { version: Buffer.from(version), entries: 4 },
        }),
      ]);
      const hex = Buffer.from(version).toString("hex");
      await statusUntil(
        inEast,
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
    await two.cancel(id);
    for (const agent of [web, inEast]) {
      await statusUntil(agent, id, ({ workloads }) => Object.keys(workloads).length === 0);
    }
  });

  it("is up while the exchange is not, says so, and serves once it is", async () => {
    const record = (await two.query.datacenters({ address: two.at("west").address })).datacenters[0];
    const id = await two.submit(api("away"), [infrastructure("west")], 7);
    await two.until(id, "a lease", (found) => activeLease(found) !== undefined);
    await two.at("west").close();
    await two.stopNode();
    const west = await two.begin("west");
    await using agent = new AgentClient(
      {
        chainId: two.query.chainId,
        datacenter: west.address,
        urls: [west.agentUrl],
        roots: (record?.roots ?? []).map(({ certificate }) => certificate),
      },
      { kind: "account", signer: two.tenant },
    );
    expect(await agent.identity()).toMatchObject({ datacenter: west.address, height: "0" });
    const refused = { status: 503, refusal: "chain-unreachable" };
    await expect(agent.status(id)).rejects.toMatchObject(refused);
    await expect(agent.quote(`${id.tenant}/${id.sequence}/west/1`)).rejects.toMatchObject(refused);
    await two.startNode();
    await west.registered;
    await two.deliver(agent, id, api("away"));
    await statusUntil(agent, id, ({ workloads }) => workloads["api"]?.instances[0]?.state === "ready");
    await two.cancel(id);
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
    const id = await two.submit(manifest, [anywhere], 8);
    const leasesOf = ({ leases }: QueryDeploymentResponse) => leases.filter(({ state }) => state === LeaseState.ACTIVE);
    const [lease] = leasesOf(await two.until(id, "a lease", (answer) => leasesOf(answer).length === 1));
    if (lease === undefined) throw new Error("no lease");
    const [from, to]: [Place, Place] =
      lease.datacenter === two.at("west").address ? ["west", "east"] : ["east", "west"];
    await using agent = await two.agentOf(lease);
    const version = await two.deliver(agent, id, manifest);
    const served = await statusUntil(agent, id, ({ workloads }) => workloads["api"]?.instances[0]?.state === "ready");
    const { address } = served.connections["public"] ?? {};
    const answer = { network: two.query.chainId, expected: two.query.chainId };
    expect(await ask(`${address}/`)).toEqual({ region: `us-${from}`, ...answer });
    await two.until(
      id,
      "that it serves",
      (found) => Buffer.compare(leasesOf(found)[0]?.confirmedVersion ?? Buffer.alloc(0), version) === 0,
    );

    const control = new ControlClient(two.homeOf(from));
    expect((await control.metrics()).split("\n")).toEqual(expect.arrayContaining(["dcx_leases 1", "dcx_draining 0"]));
    expect(await control.drain({ exit: true })).toMatchObject({ leases: 1, draining: { exit: true, drained: false } });
    const [, successor] = leasesOf(await two.until(id, "a successor", (found) => leasesOf(found).length === 2));
    expect(successor?.datacenter).toBe(two.at(to).address);
    expect(await ask(`${address}/`)).toMatchObject({ region: `us-${from}` });
    const after = await two.until(id, "that the successor alone is left", (found) => leasesOf(found).length === 1);
    const [left] = leasesOf(after);
    if (left === undefined) throw new Error("no lease");
    expect(left.datacenter).toBe(two.at(to).address);
    // It took over before the notice was over: nothing broke, and no collateral was lost.
    const { leases: ended } = await two.query.leases({ state: LeaseState.CLOSED, deployment: id });
    expect(ended.map(({ closeReason }) => closeReason)).toEqual([CloseReason.REPLACED]);
    await using next = await two.agentOf(left);
    const moved = await next.status(id);
    expect(await ask(`${moved.connections["public"]?.address}/`)).toEqual({ region: `us-${to}`, ...answer });

    const { drained } = two.at(from);
    if (!drained.aborted) await once(drained, "abort");
    expect(await control.status()).toMatchObject({ leases: 0, bids: 0, instances: 0, draining: { drained: true } });
    await two.cancel(id);
    await statusUntil(next, id, ({ workloads }) => Object.keys(workloads).length === 0);
    expect((await control.resume()).draining).toBeUndefined();
  });

  it("tells why it would not bid", async () => {
    const record = (await two.query.datacenters({ address: two.at("west").address })).datacenters[0];
    const { responses } = await two.signing.submit([
      messages.submitDeployment({
        tenant: two.tenant.address,
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
        chainId: two.query.chainId,
        datacenter: two.at("west").address,
        urls: record?.agentUrls ?? [],
        roots: (record?.roots ?? []).map(({ certificate }) => certificate),
      },
      { kind: "anybody" },
    );
    const quote = await agent.quote(`${two.tenant.address}/${response.value.id?.sequence}/large/1`);
    expect(quote).toMatchObject({ willBid: false, reason: "capacity", message: "has not enough free cpu" });
  });
});
