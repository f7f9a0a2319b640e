import { NetworkError } from "../network/driver";
import type { ActualInfrastructure } from "../network/snapshot";
import { parallelisms, theDeployment, twoRegions } from "../testing/model-world";
import { inline, separate } from "../testing/program";
import { Stack } from "../testing/stack";

const shape = { workloads: 4, connections: 4 };

describe.each(parallelisms)("actual state at parallelism %d", (parallel) => {
  const standing = async (form: typeof inline) => {
    const network = twoRegions();
    const stack = new Stack(network, { parallel });
    expect((await stack.up(form(shape))).failures).toEqual({});
    return { network, stack, program: form(shape) };
  };
  const west = (
    network: ReturnType<typeof twoRegions>,
    change: (one: ActualInfrastructure) => ActualInfrastructure,
  ): void =>
    network.change(theDeployment(network), (now) => {
      const one = now.infrastructures["west"];
      return one === undefined ? now : { ...now, infrastructures: { ...now.infrastructures, west: change(one) } };
    });

  it("a lease that broke is shown by a preview and healed by an up", async () => {
    const { network, stack, program } = await standing(separate);
    network.breakLease(theDeployment(network), "west");
    const { steps } = await stack.preview(program);
    expect(steps.find(({ name }) => name === "shop")?.diffs).toHaveProperty(["infrastructures.west"]);
    expect((await stack.up(program)).failures).toEqual({});
    expect((await stack.preview(program)).steps).toEqual([]);
  });

  it("what somebody else changed on the chain is shown by its path and put back", async () => {
    const { network, stack, program } = await standing(inline);
    network.change(theDeployment(network), (now) => ({ ...now, revision: now.revision + 1n }));
    west(network, (one) => ({ ...one, terms: { ...one.terms, persist: false } }));
    expect((await stack.preview(program)).steps.map(({ diffs }) => Object.keys(diffs))).toEqual([
      ["infrastructures.west.persist"],
    ]);
    expect((await stack.up(program)).failures).toEqual({});
    expect(theDeployment(network).infrastructures["west"]?.terms.persist).toBe(true);
    expect((await stack.preview(program)).steps).toEqual([]);
  });

  it("what datacenters have lost is shown and delivered again", async () => {
    const { network, stack, program } = await standing(separate);
    for (const holder of network.holders.values()) {
      holder.manifests.clear();
    }
    network.change(theDeployment(network), (now) => ({
      ...now,
      infrastructures: Object.fromEntries(
        Object.entries(now.infrastructures).map(([name, one]) => [
          name,
          one.lease === undefined ? one : { ...one, lease: { ...one.lease, confirmedVersion: undefined } },
        ]),
      ),
    }));
    const shown = (await stack.preview(program)).steps.map(({ name }) => name);
    expect(shown).toEqual(expect.arrayContaining(["w1", "w2", "w3", "w4"]));
    expect((await stack.up(program)).failures).toEqual({});
    expect((await stack.preview(program)).steps).toEqual([]);
    expect(theDeployment(network).manifestEntries).toBe(8);
  });

  it("a workload that its datacenter restarts for a sibling's change is no drift; one that fails is", async () => {
    const { network, stack, program } = await standing(separate);
    // As right after a change of a connection: the version is not confirmed, and w1 is about to start again.
    const unconfirmed = () =>
      west(network, (one) =>
        one.lease === undefined ? one : { ...one, lease: { ...one.lease, confirmedVersion: undefined } },
      );
    unconfirmed();
    const status = network.status.bind(network);
    let state: "pending" | "exited" = "pending";
    network.status = async (...args) => {
      const said = await status(...args);
      const { w1, ...others } = said.workloads;
      return w1 === undefined
        ? said
        : { ...said, workloads: { ...others, w1: { desired: 1, instances: [{ index: 0, state, restarts: 0 }] } } };
    };
    expect((await stack.preview(program)).steps).toEqual([]);
    state = "exited";
    // Another preview is another process: what was said to the first one is not remembered.
    const later = new Stack(network, { parallel });
    for (const [name, kept] of stack.kept) later.kept.set(name, kept);
    unconfirmed();
    expect((await later.preview(program)).steps.map(({ name, operation }) => [name, operation])).toEqual([
      ["w1", "update"],
    ]);
  });

  it("what a manager declared is an output and no drift", async () => {
    const { network, stack, program } = await standing(inline);
    network.change(theDeployment(network), (now) => {
      const one = now.infrastructures["west"];
      return one === undefined
        ? now
        : { ...now, infrastructures: { ...now.infrastructures, extra: { ...one, declaredBy: "dcx1manager" } } };
    });
    expect((await stack.preview(program)).steps).toEqual([]);
    await stack.refresh();
    expect(stack.kept.get("shop")?.outputs["leases"]).toHaveProperty("extra");
    expect(stack.kept.get("shop")?.inputs["infrastructures"]).not.toHaveProperty("extra");
  });

  it("one snapshot of a deployment serves an operation, and unreachable is neither gone nor changed", async () => {
    const { network, stack, program } = await standing(separate);
    let snapshots = 0;
    const snapshot = network.snapshot.bind(network);
    network.snapshot = (...args) => {
      snapshots += 1;
      return snapshot(...args);
    };
    expect((await stack.preview(program)).steps).toEqual([]);
    expect(snapshots).toBe(1);
    network.snapshot = async () => {
      throw new NetworkError("unreachable", "no node answers");
    };
    const { failures, steps } = await stack.preview(program);
    expect(steps).toEqual([]);
    expect(Object.values(failures).join()).toContain("no node answers");
    expect(stack.kept.size).toBe(9);
  });
});
