import { ModelNetwork } from "../network/model/model-network";
import type { ValueMap } from "../wire/value";
import { resourcesOn } from "./index";
import type { CallContext, Resource } from "./resource";

/** Two runs at once: what one has compared in its diff is what its update changes, however long that takes. */

const group = { cpu: "500m", memory: "256Mi", disk: "1Gi", count: 3, maxPrice: "20u/block" };
const capacity = (change: ValueMap = {}): ValueMap => ({
  infrastructures: { west: { region: "us-west", persist: true, resources: [{ ...group, ...change }] } },
});
const workload = (deployment: string, container: string): ValueMap => ({
  deployment,
  name: "web",
  infrastructure: "west",
  container,
});

interface Made {
  readonly id: string;
  readonly inputs: ValueMap;
  readonly state: ValueMap;
}

/** A process with the resources of one type and one URN on a network. */
class Run {
  readonly resource: Resource;
  constructor(
    network: ModelNetwork,
    readonly type: "Deployment" | "Workload",
    readonly name: string,
  ) {
    const settings = { namespace: "", timeout: 10, skipAwait: false };
    const found = resourcesOn(network, settings).resources.get(`dcx:index:${type}`);
    if (found === undefined) throw new Error(`no ${type}`);
    this.resource = found;
  }

  get context(): CallContext {
    const urn = `urn:pulumi:dev::shop::dcx:index:${this.type}::${this.name}`;
    return { urn, signal: new AbortController().signal, status: () => {}, log: () => {} };
  }

  async create(given: ValueMap): Promise<Made> {
    const inputs = await this.#checked(given);
    return { inputs, ...(await this.resource.create({ inputs, preview: false, timeout: 0 }, this.context)) };
  }

  async diff(made: Made, given: ValueMap): Promise<ValueMap> {
    const inputs = await this.#checked(given);
    const request = { id: made.id, inputs, oldInputs: made.inputs, oldState: made.state, ignoreChanges: [] };
    await this.resource.diff(request, this.context);
    return inputs;
  }

  async update(made: Made, inputs: ValueMap): Promise<Made> {
    const request = { id: made.id, inputs, oldInputs: made.inputs, oldState: made.state, ignoreChanges: [] };
    const { state } = await this.resource.update({ ...request, preview: false, timeout: 0 }, this.context);
    return { id: made.id, inputs, state };
  }

  async #checked(given: ValueMap): Promise<ValueMap> {
    const check = await this.resource.check({ inputs: given, oldInputs: undefined, name: this.name }, this.context);
    expect(check.failures).toEqual([]);
    return check.inputs;
  }
}

async function deployed() {
  const network = new ModelNetwork();
  network.addDatacenter("sierra", "us-west");
  const made = await new Run(network, "Deployment", "shop").create(capacity());
  return { network, made };
}

describe("a deployment", () => {
  it("that another run changed after this one's diff is left as it is, and who did what is told", async () => {
    const { network, made } = await deployed();
    const [mine, theirs] = [new Run(network, "Deployment", "shop"), new Run(network, "Deployment", "shop")];
    const wanted = await mine.diff(made, capacity({ maxPrice: "30u/block" }));
    await theirs.update(made, await theirs.diff(made, capacity({ maxPrice: "40u/block" })));
    const failure = await mine.update(made, wanted).catch(String);
    expect(failure).toMatch(/revision 1 → 2\n {2}by dcx1tenant \(this account, in another run\) in transaction \S+/);
    expect(failure).toMatch(/infrastructures.west.resources\[0\].maxPrice \S+ → \S+\n/);
    expect(network.transactions).toHaveLength(2);
    // The next run sees it, and may change it.
    const next = new Run(network, "Deployment", "shop");
    await next.update(made, await next.diff(made, capacity({ maxPrice: "30u/block" })));
    expect(network.transactions).toHaveLength(3);
  });

  it("of which another run changed something else is changed too", async () => {
    const { network, made } = await deployed();
    const mine = new Run(network, "Deployment", "shop");
    const wanted = await mine.diff(made, capacity({ maxPrice: "30u/block" }));
    const entry = new Run(network, "Workload", "web");
    await entry.create(workload(made.id, "web:1"));
    const after = await mine.update(made, wanted);
    // What a run has done itself is no change by another.
    await mine.update(after, await mine.diff(after, capacity({ maxPrice: "50u/block" })));
    expect(network.transactions).toHaveLength(4);
  });

  it("changed several times says that the one that it names is the last", async () => {
    const { network, made } = await deployed();
    const [mine, theirs] = [new Run(network, "Deployment", "shop"), new Run(network, "Deployment", "shop")];
    const wanted = await mine.diff(made, capacity({ maxPrice: "25u/block" }));
    const once = await theirs.update(made, await theirs.diff(made, capacity({ maxPrice: "30u/block" })));
    await theirs.update(once, await theirs.diff(once, capacity({ maxPrice: "40u/block" })));
    await expect(mine.update(made, wanted)).rejects.toThrow(
      /revision 1 → 3\n {2}the last of these by dcx1tenant .*: infrastructures.west.resources\[0\].maxPrice \S+ → \S+\n/,
    );
  });
});

describe("a workload", () => {
  it("that another run changed after this one's diff is left as it is, and who did what is told", async () => {
    const { network, made } = await deployed();
    const [mine, theirs] = [new Run(network, "Workload", "web"), new Run(network, "Workload", "web")];
    const web = await mine.create(workload(made.id, "web:1"));
    const wanted = await mine.diff(web, workload(made.id, "web:2"));
    await theirs.update(web, await theirs.diff(web, workload(made.id, "web:3")));
    await expect(mine.update(web, wanted)).rejects.toThrow(
      /somebody else changed workloads\/web of deployment .*revision 2 → 3\n {2}by dcx1tenant .*: web:1 → 3\n/,
    );
    const again = await mine.update(web, await mine.diff(web, workload(made.id, "web:2")));
    await mine.update(again, await mine.diff(again, workload(made.id, "web:4")));
    expect(network.transactions).toHaveLength(5);
  });
});
