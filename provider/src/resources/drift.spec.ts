import { status } from "@grpc/grpc-js";
import { NetworkError } from "../network/driver";
import { type Kept, ModelProvider } from "../server/testing/model-provider";
import type { ValueMap } from "../wire/value";
import { key, Pipeline } from "./testing/pipeline";

/** What became different while no program ran: what a refresh and a preview show of it, and what `up` makes of it. */
const group = { cpu: 1, memory: "256Mi", disk: "1Gi", maxPrice: "0.40/h" };
const terms = { region: "us-west", persist: true, resources: [{ ...group, count: 2 }] };
const web = { infrastructure: "west", container: "web:1", ports: [8080] };
const inline: ValueMap = {
  infrastructures: { west: terms },
  workloads: { web },
  connections: { public: { to: "web", port: 8080, from: { global: true } } },
};

const leaseIn = (kept: Kept | undefined): unknown => (kept?.state["leases"] as { west: unknown } | undefined)?.west;

describe("drift of a deployment", () => {
  let pipeline: Pipeline;
  beforeEach(async () => {
    pipeline = new Pipeline();
    await pipeline.create("Deployment", "shop", inline);
    await pipeline.settled();
  });

  it("a lease that broke and is not ordered again: shown, and ordered by up", async () => {
    pipeline.network.breakLease(key, "west");
    expect(leaseIn(await pipeline.refresh())).toMatchObject({ datacenter: "", state: "none" });
    expect(await pipeline.preview()).toEqual(["infrastructures.west", expect.stringMatching(/west/)]);
    expect(leaseIn(await pipeline.up())).toMatchObject({ datacenter: "sierra", state: "active" });
    await pipeline.settled();
  });

  it("a lease that broke and is being ordered again: shown, and awaited by up without another transaction", async () => {
    pipeline.west(({ lease }) => ({
      lease: undefined,
      order: {
        generation: (lease?.generation ?? 0) + 1,
        openedHeight: pipeline.network.height,
        dueHeight: pipeline.network.height + 3n,
        offers: [],
        replaces: false,
      },
    }));
    expect(leaseIn(await pipeline.refresh())).toMatchObject({ state: "ordered" });
    expect(await pipeline.preview()).toEqual([expect.stringMatching(/west/)]);
    const sent = pipeline.network.transactions.length;
    expect(leaseIn(await pipeline.up())).toMatchObject({ state: "active" });
    expect(pipeline.network.transactions).toHaveLength(sent);
    await pipeline.settled();
  });

  it("a lease that moved, and serves: shown with its new datacenter and addresses, nothing to do", async () => {
    const [from, to] = ["sierra", "summit"].map((name) => pipeline.network.holders.get(name));
    for (const [version, envelope] of from?.manifests ?? []) {
      to?.manifests.set(version, envelope);
    }
    pipeline.west(({ lease }) => ({
      lease: lease && { ...lease, datacenter: "summit", generation: lease.generation + 1 },
    }));
    const seen = await pipeline.refresh();
    expect(leaseIn(seen)).toMatchObject({ datacenter: "summit" });
    expect(seen?.state["addresses"]).toEqual({ public: "http://summit.test:80" });
    const sent = pipeline.network.transactions.length;
    await pipeline.up();
    expect(pipeline.network.transactions).toHaveLength(sent);
    await pipeline.settled();
  });

  it("an address that its datacenter changed: shown, nothing to do", async () => {
    const sierra = pipeline.network.holders.get("sierra");
    if (sierra === undefined) throw new Error("no sierra");
    sierra.url = "https://public-0.apps.sierra.test";
    expect((await pipeline.refresh())?.state["addresses"]).toEqual({ public: sierra.url });
    await pipeline.settled();
  });

  it("a lease that moved to a datacenter that has no manifest: shown, and handed over by up", async () => {
    pipeline.network.holders.get("sierra")?.manifests.clear();
    pipeline.west(({ lease }) => ({
      lease: lease && { ...lease, datacenter: "summit", generation: lease.generation + 1, confirmedVersion: undefined },
    }));
    expect(await pipeline.preview()).not.toEqual([]);
    const next = await pipeline.up();
    expect(next.reasons).toEqual([]);
    expect(next.state["addresses"]).toEqual({ public: "http://summit.test:80" });
    await pipeline.settled();
  });

  it("a lease that somebody closed: shown, and ordered by up", async () => {
    pipeline.west(({ lease }) => ({
      lease: undefined,
      ended: { what: "lease", reason: "closed", datacenter: lease?.datacenter, height: pipeline.network.height },
    }));
    expect(await pipeline.preview()).toContain("infrastructures.west");
    await pipeline.up();
    await pipeline.settled();
  });

  it("a lease whose datacenter gave notice: shown, and replaced by up", async () => {
    pipeline.west(({ lease }) => ({ lease: lease && { ...lease, noticeEnd: pipeline.network.height + 1000n } }));
    expect(await pipeline.preview()).toContain("infrastructures.west");
    await pipeline.up();
    expect(pipeline.actual.infrastructures["west"]?.lease).toMatchObject({
      datacenter: "summit",
      noticeEnd: undefined,
    });
    await pipeline.settled();
  });

  it("terms that somebody else changed: shown by path, and set back by up", async () => {
    pipeline = new Pipeline();
    const priced = { ...terms, resources: [{ ...group, count: 2, maxPrice: "20u/block" }] };
    await pipeline.create("Deployment", "shop", { ...inline, infrastructures: { west: priced } });
    pipeline.west(({ terms: now }) => ({
      terms: { ...now, persist: false, resources: now.resources.map((one) => ({ ...one, price: one.price * 2n })) },
    }));
    pipeline.change(() => ({}));
    expect((await pipeline.refresh())?.inputs["infrastructures"]).toMatchObject({
      west: { resources: [{ maxPrice: "0.288/h" }] },
    });
    expect(await pipeline.preview()).toEqual([
      "infrastructures.west.persist",
      "infrastructures.west.resources[0].maxPrice",
    ]);
    await pipeline.up();
    await pipeline.settled();
  });

  it("an infrastructure that somebody else removed: shown, and ordered by up", async () => {
    pipeline.change(() => ({ infrastructures: {} }));
    expect((await pipeline.refresh())?.inputs["infrastructures"]).toEqual({});
    expect(await pipeline.preview()).toContain("infrastructures.west");
    await pipeline.up();
    await pipeline.settled();
  });

  it("an infrastructure that another program of the tenant added: shown, and removed by up", async () => {
    pipeline.change(({ infrastructures }) => {
      const west = infrastructures["west"];
      return { infrastructures: { ...infrastructures, ...(west === undefined ? {} : { east: west }) } };
    });
    expect(await pipeline.preview()).toEqual(["infrastructures.east"]);
    await pipeline.up();
    expect(Object.keys(pipeline.actual.infrastructures)).toEqual(["west"]);
    await pipeline.settled();
  });

  it("an infrastructure that a manager added: an output, and no drift", async () => {
    pipeline.change(({ infrastructures }) => {
      const west = infrastructures["west"];
      return {
        infrastructures: {
          ...infrastructures,
          ...(west === undefined ? {} : { burst: { ...west, declaredBy: "dcx1manager" } }),
        },
      };
    });
    expect((await pipeline.refresh())?.state["leases"]).toMatchObject({ burst: { datacenter: "sierra" } });
    await pipeline.settled();
    await pipeline.up();
    expect(Object.keys(pipeline.actual.infrastructures)).toEqual(["west", "burst"]);
  });

  it("a manifest that somebody else changed: shown by path, and set back by up", async () => {
    await using other = await ModelProvider.start(pipeline.network);
    const mine = await pipeline.refresh();
    const changed = { ...inline, workloads: { web: { ...web, container: "web:2" }, extra: web } };
    if (mine === undefined) {
      throw new Error("it is gone");
    }
    await other.update("Deployment", "shop", mine, await other.check("Deployment", "shop", changed));
    expect((await pipeline.refresh())?.inputs["workloads"]).toMatchObject({ web: { container: "web:2" } });
    expect(await pipeline.preview()).toEqual(["workloads.extra", "workloads.web.container"]);
    await pipeline.up();
    await pipeline.settled();
  });

  it("managers and a wait that somebody else changed: shown by path, and set back by up", async () => {
    pipeline = new Pipeline();
    const managers = [{ address: "dcx1manager", maxCount: 3 }];
    await pipeline.create("Deployment", "shop", { ...inline, managers, waitDuration: 5 });
    pipeline.change(({ managers: now }) => ({
      waitDuration: 9n,
      managers: now.map((one) => ({ ...one, maxCount: 9 })),
    }));
    expect(await pipeline.preview()).toEqual(["managers[0].maxCount", "waitDuration"]);
    await pipeline.up();
    expect(pipeline.actual.waitDuration).toBe(5n);
    await pipeline.settled();
  });

  it("a workload gone at its datacenter: shown, and handed over by up", async () => {
    for (const holder of pipeline.network.holders.values()) {
      holder.manifests.clear();
    }
    pipeline.west(({ lease }) => ({ lease: lease && { ...lease, confirmedVersion: undefined } }));
    expect((await pipeline.preview()).length).toBeGreaterThan(0);
    const sent = pipeline.network.transactions.length;
    await pipeline.up();
    // The chain names it already.
    expect(pipeline.network.transactions).toHaveLength(sent);
    await pipeline.settled();
  });

  it("a workload that fails at its datacenter: shown with the reason, and done once it runs again", async () => {
    const holder = pipeline.network.holders.get("sierra");
    if (holder === undefined) {
      throw new Error("no sierra");
    }
    holder.broken = "exited with 1: config error";
    pipeline.west(({ lease }) => ({ lease: lease && { ...lease, confirmedVersion: undefined } }));
    expect(await pipeline.preview()).toContainEqual(expect.stringMatching(/config error/));
    holder.broken = undefined;
    await pipeline.up();
    await pipeline.settled();
  });

  it("parameters of the network that changed: what they make of a price is shown, and set by up", async () => {
    const before = await pipeline.network.parameters();
    pipeline.network.parameters = async () => ({ ...before, blockInterval: before.blockInterval * 2 });
    expect(await pipeline.preview()).toEqual(["infrastructures.west.resources[0].maxPrice"]);
    // 0.40 an hour, of which fewer and longer blocks each cost more; rounded down.
    const price = pipeline.actual.infrastructures["west"]?.terms.resources[0]?.price ?? 0n;
    await pipeline.up();
    expect(pipeline.actual.infrastructures["west"]?.terms.resources[0]?.price).toBe(price * 2n + 1n);
    await pipeline.settled();
  });

  it("a deployment that somebody cancelled: gone, and made again by up", async () => {
    pipeline.change(() => ({ active: false, infrastructures: {} }));
    expect(await pipeline.refresh()).toBeUndefined();
    expect(await pipeline.preview()).toEqual(["gone"]);
    expect((await pipeline.up()).id).toBe("dcx-model/dcx1tenant/2");
  });

  it("a chain that can't be reached: an error, never a deployment that is gone", async () => {
    const snapshot = pipeline.network.snapshot.bind(pipeline.network);
    pipeline.network.snapshot = async () => {
      throw new NetworkError("unreachable", "no node answers");
    };
    for (const operation of [() => pipeline.refresh(), () => pipeline.preview(), () => pipeline.up()]) {
      await expect(operation()).rejects.toMatchObject({ code: status.UNAVAILABLE });
    }
    pipeline.network.snapshot = snapshot;
    await pipeline.settled();
  });

  it("somebody else's change while a holder is asked: what is there then, and nothing undelivered", async () => {
    await using other = await ModelProvider.start(pipeline.network);
    const mine = await pipeline.refresh();
    if (mine === undefined) {
      throw new Error("it is gone");
    }
    const change = async (from: Kept, image: string): Promise<Kept> => {
      const inputs = { ...inline, workloads: { web: { ...web, container: image } } };
      return other.update("Deployment", "shop", from, await other.check("Deployment", "shop", inputs));
    };
    const second = await change(mine, "web:2");
    const { network } = pipeline;
    const fetch = network.fetchManifest.bind(network);
    let third: Promise<unknown> | undefined;
    network.fetchManifest = async (deployment, holder, version) => {
      const first = third === undefined;
      third ??= change(second, "web:3");
      await (first ? third : undefined);
      return version === pipeline.actual.version ? fetch(deployment, holder, version) : undefined;
    };
    expect((await pipeline.refresh())?.inputs["workloads"]).toMatchObject({ web: { container: "web:3" } });
  });

  it("a datacenter that can't be reached while somebody changed what runs: what was known stays, with the reason", async () => {
    await using other = await ModelProvider.start(pipeline.network);
    const mine = await pipeline.refresh();
    const changed = { ...inline, workloads: { web: { ...web, container: "web:2" } } };
    if (mine === undefined) {
      throw new Error("it is gone");
    }
    await other.update("Deployment", "shop", mine, await other.check("Deployment", "shop", changed));
    for (const holder of pipeline.network.holders.values()) {
      holder.up = false;
    }
    const seen = await pipeline.refresh();
    expect(seen?.inputs).toEqual(mine.inputs);
    expect(seen?.reasons.join()).toMatch(/does not answer/);
    expect(await pipeline.preview()).toContain("workloads");
  });
});

describe("drift of what runs on a deployment, as resources of its own", () => {
  let pipeline: Pipeline;
  let id: string;
  beforeEach(async () => {
    pipeline = new Pipeline();
    ({ id } = await pipeline.create("Deployment", "shop", { infrastructures: { west: terms } }));
    await pipeline.create("Workload", "web", { deployment: id, ...web });
    await pipeline.create("Connection", "public", { deployment: id, to: "web", port: 8080, from: { global: true } });
  });

  /** Another program that imported it changes it. */
  async function elsewhere(name: string, type: string, act: (other: ModelProvider, kept: Kept) => Promise<unknown>) {
    await using other = await ModelProvider.start(pipeline.network, "other");
    const kept = await other.import(type, name, `${id}/${type.toLowerCase()}s/${name}`);
    if (kept === undefined) {
      throw new Error(`${name} is gone`);
    }
    await act(other, kept);
  }

  it("a workload that somebody else changed: shown by path", async () => {
    await elsewhere("web", "Workload", async (other, kept) =>
      other.update("Workload", "web", kept, { ...kept.inputs, container: "web:2" }),
    );
    expect((await pipeline.refresh("web"))?.inputs["container"]).toBe("web:2");
    expect(await pipeline.preview("web")).toEqual(["container"]);
  });

  it("a connection that somebody else removed: gone, and made again by up", async () => {
    await elsewhere("public", "Connection", (other, kept) => other.delete("Connection", "public", kept));
    expect(await pipeline.refresh("public")).toBeUndefined();
    const again = await pipeline.up("public");
    expect(again.state["address"]).toBe("http://sierra.test:80");
    await pipeline.settled("public");
    await pipeline.settled("web");
  });

  it("a workload gone at its datacenter: undelivered, and handed over by up", async () => {
    for (const holder of pipeline.network.holders.values()) {
      holder.manifests.clear();
    }
    expect((await pipeline.refresh("web"))?.state["state"]).toBe("undelivered");
    expect((await pipeline.preview("web")).length).toBeGreaterThan(0);
    await pipeline.up("web");
    await pipeline.up("public");
    await pipeline.settled("web");
    await pipeline.settled("public");
  });

  it("somebody else's change while a holder is asked: what is there then, and nothing undelivered", async () => {
    const { network } = pipeline;
    const fetch = network.fetchManifest.bind(network);
    let changed: Promise<unknown> | undefined;
    // Holders drop what is replaced: an answer to a question about the version before it is "none".
    network.fetchManifest = async (deployment, holder, version) => {
      const first = changed === undefined;
      changed ??= elsewhere("web", "Workload", (other, kept) =>
        other.update("Workload", "web", kept, { ...kept.inputs, count: 2 }),
      );
      await (first ? changed : undefined);
      return version === pipeline.actual.version ? fetch(deployment, holder, version) : undefined;
    };
    const seen = await pipeline.refresh("public");
    await changed;
    expect(seen?.state["state"]).toBeUndefined();
    expect(seen?.state["address"]).toBe("http://sierra.test:80");
  });

  it("a lease that moved: the connection has its new address, the workload no change", async () => {
    const [from, to] = ["sierra", "summit"].map((name) => pipeline.network.holders.get(name));
    for (const [version, envelope] of from?.manifests ?? []) {
      to?.manifests.set(version, envelope);
    }
    pipeline.west(({ lease }) => ({ lease: lease && { ...lease, datacenter: "summit" } }));
    expect((await pipeline.refresh("public"))?.state["address"]).toBe("http://summit.test:80");
    await pipeline.settled("web");
    await pipeline.settled("public");
  });

  it("a broken lease: the deployment's to order again, its entries wait for that and are not gone", async () => {
    pipeline.network.breakLease(key, "west");
    expect(await pipeline.preview("shop")).toContain("infrastructures.west");
    expect(await pipeline.refresh("web")).toBeDefined();
    await pipeline.up("shop");
    await pipeline.up("web");
    await pipeline.up("public");
    for (const name of ["shop", "web", "public"]) {
      await pipeline.settled(name);
    }
  });

  it("a chain or datacenters that can't be reached: errors and reasons, nothing is gone", async () => {
    for (const holder of pipeline.network.holders.values()) {
      holder.up = false;
    }
    const seen = await pipeline.refresh("web");
    expect(seen?.reasons.join()).toMatch(/does not answer/);
    pipeline.network.snapshot = async () => {
      throw new NetworkError("unreachable", "no node answers");
    };
    await expect(pipeline.refresh("web")).rejects.toMatchObject({ code: status.UNAVAILABLE });
    await expect(pipeline.refresh("public")).rejects.toMatchObject({ code: status.UNAVAILABLE });
  });
});
