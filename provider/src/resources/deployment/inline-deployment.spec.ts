import { Secret, Unknown } from "../../wire/value";
import { PartialFailure } from "../resource";
import {
  checked,
  context,
  create,
  diff,
  failures,
  group,
  inlineInputs,
  provider,
  update,
  world,
} from "../testing/operations";

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
