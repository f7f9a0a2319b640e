import { ResourceReference, Unknown, type ValueMap } from "../../wire/value";
import { type CallContext, PartialFailure, type Resource } from "../resource";
import {
  capacity,
  checked,
  context,
  create,
  diff,
  inlineInputs,
  provider,
  update,
  web,
  world,
} from "../testing/operations";

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
