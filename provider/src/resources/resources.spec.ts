import { ModelNetwork } from "../network/model/model-network";
import { ResourceReference, Secret, Unknown, type ValueMap } from "../wire/value";
import { resourcesOn } from "./index";
import { type CallContext, PartialFailure, type Resource } from "./resource";

const settings = { namespace: "", timeout: 10, skipAwait: false };
const group = { cpu: "500m", memory: "256Mi", disk: "1Gi", maxPrice: "20u/block" };

function world(
  datacenters: readonly (readonly [string, string])[] = [
    ["sierra", "us-west"],
    ["tide", "us-east"],
  ],
) {
  const network = new ModelNetwork();
  for (const [name, region] of datacenters) {
    network.addDatacenter(name, region);
  }
  return { network, ...provider(network) };
}

/** A provider process on that network. */
function provider(network: ModelNetwork) {
  const { resources } = resourcesOn(network, settings);
  const get = (type: string): Resource => {
    const found = resources.get(`dcx:index:${type}`);
    if (found === undefined) {
      throw new Error(`no ${type}`);
    }
    return found;
  };
  return { Deployment: get("Deployment"), Workload: get("Workload"), Connection: get("Connection") };
}

function context(type: string, name: string, stack = "dev", signal = new AbortController().signal) {
  const lines: string[] = [];
  const made: CallContext & { lines: string[] } = {
    urn: `urn:pulumi:${stack}::shop::dcx:index:${type}::${name}`,
    signal,
    status: (line) => void lines.push(line),
    log: (severity, line) => lines.push(`${severity}: ${line}`),
    lines,
  };
  return made;
}

async function checked(resource: Resource, type: string, name: string, inputs: ValueMap): Promise<ValueMap> {
  const result = await resource.check({ inputs, oldInputs: undefined, name }, context(type, name));
  expect(result.failures).toEqual([]);
  return result.inputs;
}

async function failures(resource: Resource, type: string, inputs: ValueMap): Promise<string> {
  const { failures: found } = await resource.check(
    { inputs, oldInputs: undefined, name: "shop" },
    context(type, "shop"),
  );
  return found.map(({ reason }) => reason).join("\n");
}

const inlineInputs: ValueMap = {
  infrastructures: { west: { region: "us-west", persist: true, resources: [{ ...group, count: 2 }] } },
  workloads: {
    web: {
      infrastructure: "west",
      container: { image: "ghcr.io/acme/web:1.4" },
      ports: [8080],
      count: "2",
      environment: { KEY: new Secret("hunter2"), DEBUG: true },
    },
  },
  connections: { public: { to: "web", port: 8080, from: { global: true } } },
};

async function create(resource: Resource, type: string, name: string, inputs: ValueMap, stack = "dev") {
  const normal = await checked(resource, type, name, inputs);
  const made = await resource.create({ inputs: normal, preview: false, timeout: 0 }, context(type, name, stack));
  return { ...made, inputs: normal };
}

function diff(
  resource: Resource,
  type: string,
  name: string,
  made: { id: string; inputs: ValueMap; state: ValueMap },
  inputs = made.inputs,
) {
  const request = { id: made.id, inputs, oldInputs: made.inputs, oldState: made.state, ignoreChanges: [] };
  return resource.diff(request, context(type, name));
}

function update(
  resource: Resource,
  type: string,
  name: string,
  made: { id: string; inputs: ValueMap; state: ValueMap },
  inputs: ValueMap,
  preview = false,
  ctx = context(type, name),
) {
  return resource.update(
    { id: made.id, inputs, oldInputs: made.inputs, oldState: made.state, preview, timeout: 0, ignoreChanges: [] },
    ctx,
  );
}

describe("an inline deployment", () => {
  it("is created in one transaction, runs, shows no change, and is read as it was declared", async () => {
    const { network, Deployment } = world();
    const made = await create(Deployment, "Deployment", "shop", inlineInputs);
    expect(made.id).toBe("dcx-model/dcx1tenant/1");
    expect(network.transactions.map(({ kind }) => kind)).toEqual(["submit-deployment"]);
    expect(made.state["addresses"]).toEqual({ public: "http://sierra.test:80" });
    expect(made.state["leases"]).toMatchObject({ west: { datacenter: "sierra", state: "active" } });
    expect((await diff(Deployment, "Deployment", "shop", made)).detailed).toEqual({});
    const read = await Deployment.read(
      { id: made.id, inputs: made.inputs, state: made.state },
      context("Deployment", "shop"),
    );
    expect(read?.inputs).toEqual(made.inputs);
    expect(read?.state).toEqual(made.state);
  });

  it("names exactly what changes, and changes it in place where its lease allows", async () => {
    const { network, Deployment } = world();
    const made = await create(Deployment, "Deployment", "shop", inlineInputs);
    const then = await checked(Deployment, "Deployment", "shop", {
      ...inlineInputs,
      infrastructures: {
        west: { region: "us-west", persist: true, resources: [{ ...group, count: 2, maxPrice: "30u/block" }] },
      },
    });
    const { detailed } = await diff(Deployment, "Deployment", "shop", made, then);
    expect(Object.keys(detailed)).toEqual(["infrastructures.west.resources[0].maxPrice"]);
    const seen = context("Deployment", "shop");
    await update(Deployment, "Deployment", "shop", made, then, true, seen);
    expect(seen.lines.join("\n")).toMatch(/maximum price .* in place; the lease with datacenter sierra keeps/);
    expect(network.transactions).toHaveLength(1);
    const lease = network.deployments.get("dcx1tenant/1")?.infrastructures["west"]?.lease;
    await update(Deployment, "Deployment", "shop", made, then);
    expect(network.deployments.get("dcx1tenant/1")?.infrastructures["west"]?.lease?.generation).toBe(lease?.generation);
    expect(network.transactions).toHaveLength(2);
  });

  it("is found again by a create that died before it was recorded", async () => {
    const { network, Deployment } = world();
    await create(Deployment, "Deployment", "shop", inlineInputs);
    const again = await create(provider(network).Deployment, "Deployment", "shop", {
      ...inlineInputs,
      connections: {},
    });
    expect(network.deployments.size).toBe(1);
    expect(again.state["incarnation"]).toBe("2");
    expect(network.deployments.get("dcx1tenant/1")?.manifestEntries).toBe(1);
  });

  it("survives the deletion of what it replaced", async () => {
    const { network, Deployment } = world();
    const old = await create(Deployment, "Deployment", "shop", inlineInputs);
    await create(Deployment, "Deployment", "shop", inlineInputs);
    const request = { id: old.id, oldInputs: old.inputs, oldState: old.state, timeout: 0 };
    await Deployment.delete(request, context("Deployment", "shop"));
    expect(network.deployments.get("dcx1tenant/1")?.active).toBe(true);
    await provider(network).Deployment.delete(request, context("Deployment", "shop"));
    expect(network.deployments.get("dcx1tenant/1")?.active).toBe(false);
  });

  it("says why nobody took its order, keeps its state, and goes on from there", async () => {
    const { network, Deployment } = world([["sierra", "us-west"]]);
    const inputs = await checked(Deployment, "Deployment", "shop", {
      infrastructures: { west: { region: "us-west", resources: [{ ...group, maxPrice: "0.5u/block" }] } },
    });
    const failed = await Deployment.create({ inputs, preview: false, timeout: 1 }, context("Deployment", "shop")).catch(
      (error: unknown) => error,
    );
    if (!(failed instanceof PartialFailure)) {
      throw failed;
    }
    expect(failed.message).toMatch(/no lease for infrastructure "west"/);
    expect(failed.message).toMatch(/1 asks .*\/h, your maximum is .*\/h/);
    expect(failed.id).toBe("dcx-model/dcx1tenant/1");
    network.addDatacenter("cheap", "us-west", 10n ** 17n);
    const resumed = await update(
      Deployment,
      "Deployment",
      "shop",
      { id: failed.id, inputs, state: failed.state },
      inputs,
    );
    expect(resumed.state["leases"]).toMatchObject({ west: { datacenter: "cheap" } });
    expect(network.transactions).toHaveLength(1);
  });

  it("is imported as it is, with what may be secret marked so", async () => {
    const { network, Deployment } = world();
    const made = await create(Deployment, "Deployment", "shop", inlineInputs);
    const read = await provider(network).Deployment.read(
      { id: made.id, inputs: undefined, state: undefined },
      context("Deployment", "shop"),
    );
    expect(JSON.stringify(read)).not.toContain("hunter2");
    const again = await checked(Deployment, "Deployment", "shop", read?.inputs ?? {});
    const imported = { id: made.id, inputs: again, state: read?.state ?? {} };
    expect((await diff(Deployment, "Deployment", "shop", imported, made.inputs)).detailed).toEqual({});
    const elsewhere = await provider(network).Deployment.read(
      { id: made.id, inputs: undefined, state: undefined },
      context("Deployment", "shop", "other"),
    );
    expect(Object.keys(elsewhere?.inputs ?? {}).sort()).toEqual(["connections", "infrastructures", "workloads"]);
  });

  it("keeps what there is when it is cancelled, and goes on from there", async () => {
    const { network, Deployment } = world([["sierra", "us-east"]]);
    const inputs = await checked(Deployment, "Deployment", "shop", inlineInputs);
    const cancel = new AbortController();
    const waiting = {
      ...context("Deployment", "shop", "dev", cancel.signal),
      status: (line: string) => (line.includes("has bid") ? cancel.abort(new Error("cancelled")) : undefined),
    };
    const failed = await Deployment.create({ inputs, preview: false, timeout: 0 }, waiting).catch(
      (error: unknown) => error,
    );
    expect(failed).toBeInstanceOf(PartialFailure);
    expect(failed instanceof PartialFailure ? failed.reasons[0] : "").toMatch(/^cancelled/);
    network.addDatacenter("late", "us-west");
    const id = failed instanceof PartialFailure ? failed.id : "";
    await update(Deployment, "Deployment", "shop", { id, inputs, state: {} }, inputs);
    expect(network.transactions).toHaveLength(1);
  });

  it("says at each read what it lacks, until it lacks nothing", async () => {
    const { network, Deployment } = world([["sierra", "us-east"]]);
    const inputs = await checked(Deployment, "Deployment", "shop", inlineInputs);
    const failed = await Deployment.create({ inputs, preview: false, timeout: 1 }, context("Deployment", "shop")).catch(
      (error: unknown) => error,
    );
    const { id, state } = failed instanceof PartialFailure ? failed : { id: "", state: {} };
    const read = () => provider(network).Deployment.read({ id, inputs, state }, context("Deployment", "shop"));
    const lacking = await read().catch((error: unknown) => error);
    expect(lacking).toBeInstanceOf(PartialFailure);
    expect(lacking instanceof PartialFailure ? lacking.reasons : []).toEqual([
      expect.stringMatching(/^west: none of 0 datacenters has bid/),
    ]);
    expect(lacking instanceof PartialFailure ? lacking.inputs : undefined).toEqual(inputs);
    network.addDatacenter("late", "us-west");
    await update(Deployment, "Deployment", "shop", { id, inputs, state }, inputs);
    expect(await read()).toMatchObject({ id, inputs });
  });

  it("names who changed the same thing at the same time, and applies none of it", async () => {
    const { network, Deployment } = world();
    const made = await create(Deployment, "Deployment", "shop", inlineInputs);
    const priced = (maxPrice: string) =>
      checked(Deployment, "Deployment", "shop", {
        ...inlineInputs,
        infrastructures: { west: { region: "us-west", persist: true, resources: [{ ...group, count: 2, maxPrice }] } },
      });
    const [mine, theirs] = [await priced("30u/block"), await priced("40u/block")];
    network.beforeExecution = async () => {
      network.beforeExecution = () => {};
      await update(provider(network).Deployment, "Deployment", "shop", made, theirs);
    };
    await expect(update(Deployment, "Deployment", "shop", made, mine)).rejects.toThrow(
      /somebody else changed deployment .* revision 1 → 2\n {2}by dcx1tenant \(this account, in another run\) in transaction .*: infrastructures\.west\.resources\[0\]\.maxPrice \S+ → \S+/,
    );
    expect(network.transactions).toHaveLength(2);
  });

  it("shows a lease that broke, and orders it again", async () => {
    const { network, Deployment } = world();
    const made = await create(Deployment, "Deployment", "shop", inlineInputs);
    network.breakLease({ tenant: "dcx1tenant", sequence: 1n }, "west");
    expect((await diff(Deployment, "Deployment", "shop", made)).detailed).toEqual({
      "infrastructures.west": { kind: "update", inputDiff: false },
    });
    await update(Deployment, "Deployment", "shop", made, made.inputs);
    expect((await diff(Deployment, "Deployment", "shop", made)).detailed).toEqual({});
  });

  it("is gone with its embedded network, and never with another one", async () => {
    const { network, Deployment } = world();
    const id = "dcx-old/dcx1tenant/1";
    await expect(Deployment.read({ id, inputs: {}, state: {} }, context("Deployment", "shop"))).rejects.toThrow(
      /dcx-old/,
    );
    network.gone.add("dcx-old");
    expect(await Deployment.read({ id, inputs: {}, state: {} }, context("Deployment", "shop"))).toBeUndefined();
  });

  it("refuses what is wrong before anything is sent, by its path and without secrets", async () => {
    const { network, Deployment } = world();
    const wrong = await failures(Deployment, "Deployment", {
      infrastructures: { west: { regoin: "x", resources: [{ ...group, cpu: -1, maxPrice: "-3" }] } },
      workloads: {
        web: {
          infrastructure: "west",
          container: "Not An Image",
          ports: [70000],
          environment: { A: new Secret(["x"]) },
        },
      },
    });
    for (const path of [
      "infrastructures.west.regoin",
      "infrastructures.west.resources[0].cpu",
      "infrastructures.west.resources[0].maxPrice",
      "workloads.web.container",
      "workloads.web.ports[0]",
      "workloads.web.environment.A",
    ]) {
      expect(wrong).toContain(path);
    }
    expect(await failures(Deployment, "Deployment", { ...inlineInputs, maxCostPerMonth: "1" })).toContain(
      "maxCostPerMonth: is 1",
    );
    expect(
      await failures(Deployment, "Deployment", {
        ...inlineInputs,
        connections: { public: { to: "wbe", port: 8080, from: { global: true } } },
      }),
    ).toContain("connections.public.to");
    expect(
      await failures(Deployment, "Deployment", {
        ...inlineInputs,
        connections: {},
        workloads: { web: { infrastructure: "west", container: "web:1", compute: { memory: "1Gi" }, ports: [8080] } },
      }),
    ).toContain("fits no slot");
    expect(network.transactions).toEqual([]);
  });

  it("previews with what is unknown, and sends nothing", async () => {
    const { network, Deployment } = world();
    const inputs = await checked(Deployment, "Deployment", "shop", {
      ...inlineInputs,
      workloads: { web: { infrastructure: "west", container: Unknown.instance } },
      connections: {},
    });
    const { state } = await Deployment.create({ inputs, preview: true, timeout: 0 }, context("Deployment", "shop"));
    expect(state["deploymentId"]).toBeInstanceOf(Unknown);
    expect(network.transactions).toEqual([]);
  });
});

const capacity: ValueMap = {
  infrastructures: {
    west: { region: "us-west", resources: [{ ...group, count: 4 }] },
    east: { region: "us-east", resources: [{ ...group, count: 4 }] },
  },
};
const web = (deployment: string): ValueMap => ({
  deployment,
  infrastructure: "west",
  container: "web:1",
  ports: [8080],
});

describe("own host names that are not served", () => {
  const line = "warning: public: shop.example.org is not served: there is no TXT record";
  const from = { global: true, hosts: ["shop.example.org"] };

  it("are told, and keep no inline deployment from being done", async () => {
    const { Deployment } = world();
    const inputs = await checked(Deployment, "Deployment", "shop", {
      ...inlineInputs,
      connections: { public: { to: "web", port: 8080, from } },
    });
    const seen = context("Deployment", "shop");
    const { id, state } = await Deployment.create({ inputs, preview: false, timeout: 0 }, seen);
    expect(seen.lines).toContain(line);
    const without = await checked(Deployment, "Deployment", "shop", inlineInputs);
    const foretold = await update(Deployment, "Deployment", "shop", { id, inputs, state }, without, true);
    expect(foretold.state["addresses"]).toEqual({ public: "http://sierra.test:80" });
  });

  it("are told, and added to a connection whose address stays known in previews", async () => {
    const { Deployment, Workload, Connection } = world();
    const { id } = await create(Deployment, "Deployment", "shop", capacity);
    await create(Workload, "Workload", "web", web(id));
    const declared = { deployment: id, to: "web", port: 8080 };
    const made = await create(Connection, "Connection", "public", { ...declared, from: { global: true } });
    const then = await checked(Connection, "Connection", "public", { ...declared, from });
    const foretold = await update(Connection, "Connection", "public", made, then, true);
    expect(foretold.state["address"]).toBe("http://sierra.test:80");
    const seen = context("Connection", "public");
    const updated = await update(Connection, "Connection", "public", made, then, false, seen);
    expect(updated.state["address"]).toBe("http://sierra.test:80");
    expect(seen.lines).toContain(line);
  });
});

describe("separate resources", () => {
  it("share transactions, are read as declared, and show no change", async () => {
    const { network, Deployment, Workload, Connection } = world();
    const { id } = await create(Deployment, "Deployment", "shop", capacity);
    const before = network.transactions.length;
    const names = ["a", "b", "c", "d"];
    const made = await Promise.all(names.map((name) => create(Workload, "Workload", name, web(id))));
    expect(made.map((one) => one.id)).toEqual(names.map((name) => `${id}/workloads/${name}`));
    // The first goes at once; those that came meanwhile share the next.
    expect(network.transactions.length - before).toBeLessThanOrEqual(2);
    const connection = await create(Connection, "Connection", "public", {
      deployment: id,
      to: "a",
      port: 8080,
      from: { global: true },
    });
    expect(connection.state["address"]).toBe("http://sierra.test:80");
    for (const [index, name] of names.entries()) {
      const one = made[index];
      if (one === undefined) {
        throw new Error(name);
      }
      expect((await diff(Workload, "Workload", name, one)).detailed).toEqual({});
      const read = await Workload.read({ id: one.id, inputs: one.inputs, state: one.state }, context("Workload", name));
      expect(read?.inputs).toEqual(one.inputs);
      expect(read?.state).toEqual(one.state);
    }
  });

  it("let a connection wait for its workloads, and name the one that never comes", async () => {
    const { Deployment, Workload, Connection } = world();
    const { id } = await create(Deployment, "Deployment", "shop", capacity);
    const [connection] = await Promise.all([
      create(Connection, "Connection", "link", { deployment: id, to: "web", port: 8080, from: { workload: "api" } }),
      create(Workload, "Workload", "web", web(id)).then(() =>
        create(Workload, "Workload", "api", { deployment: id, infrastructure: "east", container: "api:1" }),
      ),
    ]);
    expect(connection.state["address"]).toBe("web:8080");
    const inputs = await checked(Connection, "Connection", "never", {
      deployment: id,
      to: "ghost",
      port: 1,
      from: { global: true },
    });
    await expect(
      Connection.create({ inputs, preview: false, timeout: 1 }, context("Connection", "never")),
    ).rejects.toThrow(/workload "ghost" is not there/);
  });

  it("fail alone: a workload that fits no slot takes nobody with it", async () => {
    const { Deployment, Workload } = world();
    const { id } = await create(Deployment, "Deployment", "shop", capacity);
    const outcomes = await Promise.allSettled([
      create(Workload, "Workload", "one", web(id)),
      create(Workload, "Workload", "two", web(id)),
      create(Workload, "Workload", "big", { ...web(id), compute: { memory: "64Gi" } }),
    ]);
    expect(outcomes.map(({ status }) => status)).toEqual(["fulfilled", "fulfilled", "rejected"]);
    expect(String(outcomes[2]?.status === "rejected" ? outcomes[2].reason : "")).toMatch(/workloads\/big does not fit/);
  });

  it("patch a newer revision where somebody else changed something else, and fail where it was the same entry", async () => {
    const { network, Deployment, Workload } = world();
    const { id } = await create(Deployment, "Deployment", "shop", capacity);
    const made = await create(Workload, "Workload", "web", web(id));
    const other = provider(network).Workload;
    const otherInputs = await checked(other, "Workload", "api", { ...web(id), infrastructure: "east" });
    network.beforeExecution = async () => {
      network.beforeExecution = () => {};
      await other.create({ inputs: otherInputs, preview: false, timeout: 0 }, context("Workload", "api"));
    };
    const changed = { ...made.inputs, container: "web:2" };
    await update(Workload, "Workload", "web", made, changed);
    const read = await Workload.read({ id: made.id, inputs: undefined, state: undefined }, context("Workload", "web"));
    expect(read?.inputs["container"]).toBe("web:2");
    network.beforeExecution = async () => {
      network.beforeExecution = () => {};
      await update(other, "Workload", "web", made, { ...made.inputs, container: "web:3" });
    };
    await expect(update(Workload, "Workload", "web", made, { ...made.inputs, container: "web:4" })).rejects.toThrow(
      /somebody else changed workloads\/web .* by dcx1tenant .*: web:2 → 3\n/s,
    );
  });

  it("delete only what is theirs, and move in from inline without a change to what runs", async () => {
    const { network, Deployment, Workload } = world();
    const made = await create(Deployment, "Deployment", "shop", { ...inlineInputs, connections: {} });
    const { workloads, connections, ...without } = made.inputs;
    const rest = await checked(Deployment, "Deployment", "shop", without);
    await update(Deployment, "Deployment", "shop", made, rest);
    const version = network.deployments.get("dcx1tenant/1")?.version;
    const own = workloads as Record<string, ValueMap>;
    const moved = await create(Workload, "Workload", "web", { deployment: made.id, ...own["web"] });
    expect(network.deployments.get("dcx1tenant/1")?.version).toBe(version);
    // Back inline: the deployment takes over, and the workload's deletion stops nothing.
    await expect(update(Deployment, "Deployment", "shop", { ...made, inputs: rest }, made.inputs)).rejects.toThrow(
      /workloads\/web .* is declared by urn:.*Workload::web/,
    );
    const next = provider(network);
    await checked(next.Deployment, "Deployment", "shop", made.inputs);
    await update(next.Deployment, "Deployment", "shop", { ...made, inputs: rest }, made.inputs);
    const request = { id: moved.id, oldInputs: moved.inputs, oldState: moved.state, timeout: 0 };
    await next.Workload.delete(request, context("Workload", "web"));
    expect(network.deployments.get("dcx1tenant/1")?.version).toBe(version);
    expect(connections).toEqual({});
  });

  it("refuse a name that another stack, or another resource of this one, declares", async () => {
    const { network, Deployment, Workload } = world();
    const { id } = await create(Deployment, "Deployment", "shop", capacity);
    const made = await create(Workload, "Workload", "web", web(id));
    const inputs = made.inputs;
    const create2 = (resource: Resource, ctx: CallContext) =>
      resource.create({ inputs, preview: false, timeout: 0 }, ctx);
    await expect(create2(provider(network).Workload, context("Workload", "web", "prod"))).rejects.toThrow(
      /another stack/,
    );
    await checked(Workload, "Workload", "twin", { ...web(id), name: "web" });
    await expect(create2(Workload, context("Workload", "twin"))).rejects.toThrow(
      /declared by urn:pulumi:dev::shop::dcx:index:Workload::web/,
    );
  });

  it("are changed and deleted by whoever imported them", async () => {
    const { network, Deployment, Workload } = world();
    const { id } = await create(Deployment, "Deployment", "shop", capacity);
    const made = await create(Workload, "Workload", "web", web(id));
    const other = provider(network).Workload;
    const ctx = context("Workload", "web", "prod");
    const read = await other.read({ id: made.id, inputs: undefined, state: undefined }, ctx);
    const imported = { id: made.id, inputs: read?.inputs ?? {}, state: read?.state ?? {} };
    expect((await diff(other, "Workload", "web", imported, made.inputs)).detailed).toEqual({});
    const changed = await checked(other, "Workload", "web", { ...imported.inputs, container: "web:2" });
    const { state } = await update(other, "Workload", "web", imported, changed, false, ctx);
    // Whose state still has the old stamp deletes nothing.
    await Workload.delete(
      { id: made.id, oldInputs: made.inputs, oldState: made.state, timeout: 0 },
      context("Workload", "web"),
    );
    const now = await other.read({ id: made.id, inputs: changed, state }, ctx);
    expect(now?.inputs["container"]).toBe("web:2");
  });

  it("are delivered again where no holder has them any more", async () => {
    const { network, Deployment, Workload } = world();
    const { id } = await create(Deployment, "Deployment", "shop", capacity);
    const first = await create(Workload, "Workload", "one", web(id));
    const second = await create(Workload, "Workload", "two", web(id));
    for (const holder of network.holders.values()) {
      holder.manifests.clear();
    }
    const fresh = provider(network).Workload;
    for (const [name, made] of [
      ["one", first],
      ["two", second],
    ] as const) {
      const read = await fresh.read({ id: made.id, inputs: made.inputs, state: made.state }, context("Workload", name));
      expect(read?.state["state"]).toBe("undelivered");
      await update(fresh, "Workload", name, made, made.inputs);
    }
    expect(network.deployments.get("dcx1tenant/1")?.manifestEntries).toBe(2);
    expect((await diff(fresh, "Workload", "one", first)).detailed).toEqual({});
  });

  it("are neither gone nor undelivered when no holder answers", async () => {
    const { network, Deployment, Workload } = world();
    const { id } = await create(Deployment, "Deployment", "shop", capacity);
    const made = await create(Workload, "Workload", "web", web(id));
    for (const holder of network.holders.values()) {
      holder.up = false;
    }
    const read = provider(network).Workload.read(
      { id: made.id, inputs: made.inputs, state: made.state },
      context("Workload", "web"),
    );
    const failed = await read.catch((error: unknown) => error);
    expect(failed).toBeInstanceOf(PartialFailure);
    expect(failed).toMatchObject({ id: made.id, inputs: made.inputs, state: made.state });
    expect(String(failed)).toMatch(/does not answer/);
    const imported = provider(network).Workload.read(
      { id: made.id, inputs: undefined, state: undefined },
      context("Workload", "web"),
    );
    await expect(imported).rejects.toThrow(/does not answer/);
  });

  it("are gone with their deployment, also when that is deleted beside them", async () => {
    const { network, Deployment, Workload } = world();
    const deployment = await create(Deployment, "Deployment", "shop", capacity);
    const made = await create(Workload, "Workload", "web", web(deployment.id));
    network.beforeExecution = async () => {
      network.beforeExecution = () => {};
      await provider(network).Deployment.delete(
        { id: deployment.id, oldInputs: deployment.inputs, oldState: deployment.state, timeout: 0 },
        context("Deployment", "shop"),
      );
    };
    await Workload.delete(
      { id: made.id, oldInputs: made.inputs, oldState: made.state, timeout: 0 },
      context("Workload", "web"),
    );
    expect(network.deployments.get("dcx1tenant/1")?.active).toBe(false);
  });

  it("take a deployment by reference, and wait with what is unknown", async () => {
    const { Workload } = world();
    const inputs = await checked(Workload, "Workload", "web", {
      deployment: new ResourceReference("urn:x", Unknown.instance),
      infrastructure: "west",
      container: "web:1",
    });
    expect(inputs["deployment"]).toBeInstanceOf(Unknown);
    expect(inputs["name"]).toBe("web");
    const { state } = await Workload.create({ inputs, preview: true, timeout: 0 }, context("Workload", "web"));
    expect(state["digest"]).toBeInstanceOf(Unknown);
  });
});
