import { ModelNetwork } from "../network/model/model-network";
import { kinds, parallelisms, theDeployment, twoRegions } from "../testing/model-world";
import { connection, inline, separate, workload } from "../testing/program";
import { Stack } from "../testing/stack";

const twenty = { workloads: 20, connections: 40 };

/** The most transactions that 20 workloads and 40 connections take at parallelism p (design: "Group commit"). */
const bound = (p: number): number => 1 + 2 * (Math.ceil(20 / p) + Math.ceil(40 / p));

/**
 * A network whose block waits for everybody: no transaction is executed before all calls that the engine has begun
 * have joined the group commit, and those that the last one settled have been answered and followed by others. So it
 * depends on no clock who arrives in time for which transaction.
 */
class PatientNetwork extends ModelNetwork {
  #inFlight = 0;
  mostInFlight = 0;
  stack: Stack | undefined;

  override async submit(...args: Parameters<ModelNetwork["submit"]>) {
    this.#inFlight += 1;
    this.mostInFlight = Math.max(this.mostInFlight, this.#inFlight);
    try {
      const [{ kind }] = args;
      while (kind === "update-deployment" && !this.#everybodyIsHere()) {
        await new Promise(setImmediate);
      }
      return await super.submit(...args);
    } finally {
      this.#inFlight -= 1;
    }
  }

  #everybodyIsHere(): boolean {
    const { plugin, kept, busy } = this.stack ?? { kept: new Map(), busy: 0 };
    const joined = plugin?.engine.lines.filter(({ message }) => message.endsWith(": declaring it")).length ?? 0;
    const answered = kept.size - 1;
    const committed = theDeployment(this).manifestEntries;
    return answered >= committed && joined - answered >= busy;
  }
}

function world(parallel: number, skipAwait: boolean): { readonly network: PatientNetwork; readonly stack: Stack } {
  const network = new PatientNetwork();
  network.addDatacenter("sierra", "us-west");
  network.addDatacenter("tide", "us-east");
  const stack = new Stack(network, { parallel, settings: { skipAwait } });
  network.stack = stack;
  return { network, stack };
}

describe.each(parallelisms)("group commit at parallelism %d", (parallel) => {
  it("sends one transaction for an inline deployment with 20 workloads and 40 connections", async () => {
    const { network, stack } = world(parallel, false);
    const { failures } = await stack.up(inline(twenty));
    expect(failures).toEqual({});
    expect(kinds(network)).toEqual(["submit-deployment"]);
    expect(theDeployment(network).manifestEntries).toBe(60);
  });

  it("sends few for separate ones with skipAwait, and never has two in flight", async () => {
    const { network, stack } = world(parallel, true);
    const { failures } = await stack.up(separate(twenty));
    expect(failures).toEqual({});
    expect(theDeployment(network).manifestEntries).toBe(60);
    expect(network.transactions.length).toBeLessThanOrEqual(bound(parallel));
    expect(network.mostInFlight).toBe(1);
  });

  it("never has two in flight where it waits, changes and deletes, and ends with what was declared", async () => {
    const network = twoRegions();
    let inFlight = 0;
    let most = 0;
    const submit = network.submit.bind(network);
    network.submit = async (...args) => {
      inFlight += 1;
      most = Math.max(most, inFlight);
      try {
        await new Promise(setImmediate);
        return await submit(...args);
      } finally {
        inFlight -= 1;
      }
    };
    const stack = new Stack(network, { parallel });
    const program = separate({ workloads: 6, connections: 6 });
    expect((await stack.up(program)).failures).toEqual({});
    const changed = separate({ workloads: 6, connections: 3, image: "web:2" });
    expect((await stack.up(changed)).failures).toEqual({});
    expect((await stack.preview(changed)).steps).toEqual([]);
    expect(theDeployment(network).manifestEntries).toBe(9);
    expect((await stack.destroy()).failures).toEqual({});
    expect(most).toBe(1);
  });

  it("lets a failure belong to the entry that caused it", async () => {
    const network = twoRegions();
    const stack = new Stack(network, { parallel });
    const good = separate({ workloads: 4, connections: 0 });
    const { failures } = await stack.up({
      ...good,
      big: workload("shop", { infrastructure: "west", container: "web:1", compute: { memory: "64Gi" } }),
    });
    expect(Object.keys(failures)).toEqual(["big"]);
    expect(failures["big"]).toContain("workloads/big does not fit");
    // Where they were under way with it they are there, and the next up makes the rest.
    expect((await stack.up(good)).failures).toEqual({});
    expect(theDeployment(network).manifestEntries).toBe(4);
    expect((await stack.preview(good)).steps).toEqual([]);
  });

  it("patches a newer revision that changed something else, and sends again", async () => {
    const network = twoRegions();
    const stack = new Stack(network, { parallel });
    const other = new Stack(network, { parallel, name: "dev" });
    const mine = separate({ workloads: 4, connections: 2 });
    expect((await stack.up({ shop: mine["shop"] ?? failed() })).failures).toEqual({});
    // Another process of the same stack, with another workload, comes first.
    other.kept.set("shop", stack.kept.get("shop") ?? failed());
    const theirs = {
      shop: mine["shop"] ?? failed(),
      late: workload("shop", { infrastructure: "east", container: "late:1" }),
    };
    network.beforeExecution = async () => {
      network.beforeExecution = () => {};
      expect((await other.up(theirs)).failures).toEqual({});
    };
    expect((await stack.up(mine)).failures).toEqual({});
    expect(theDeployment(network).manifestEntries).toBe(7);
    expect((await stack.preview(mine)).steps).toEqual([]);
  });

  it("settles the members of a batch that was signed though the engine cancels, and others not at all", async () => {
    const network = twoRegions();
    const stack = new Stack(network, { parallel, settings: { skipAwait: true } });
    const program = separate({ workloads: 4, connections: 0 });
    expect((await stack.up({ shop: program["shop"] ?? failed() })).failures).toEqual({});
    // ^C comes while the first transaction of entries is on its way.
    network.beforeExecution = () => {
      network.beforeExecution = () => {};
      stack.plugin?.provider.cancellation.abort("cancelled");
    };
    await stack.up(program);
    const there = theDeployment(network).manifestEntries;
    expect(there).toBeGreaterThanOrEqual(1);
    // Each that is on the chain is in the state, and none that is not.
    expect(stack.kept.size - 1).toBe(there);
    expect((await stack.up(program)).failures).toEqual({});
    expect(theDeployment(network).manifestEntries).toBe(4);
  });

  it("leaves a connection whose workload never comes to its own time, and holds nobody up", async () => {
    const network = twoRegions();
    const stack = new Stack(network, { parallel });
    const good = separate({ workloads: 2, connections: 0 });
    const never = connection("shop", { to: "w1", port: 8080 });
    const { failures } = await stack.up({
      ...good,
      lost: { ...never, timeout: 1, inputs: (of) => ({ ...never.inputs(of), to: "nobody" }) },
    });
    expect(Object.keys(failures)).toEqual(["lost"]);
    expect(failures["lost"]).toMatch(/workload "nobody" is not there/);
    expect(theDeployment(network).manifestEntries).toBe(2);
  });
});

function failed(): never {
  throw new Error("It is not there.");
}
