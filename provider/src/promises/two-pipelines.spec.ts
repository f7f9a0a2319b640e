import { parallelisms, theDeployment, twoRegions } from "../testing/model-world";
import { type Program, separate, workload } from "../testing/program";
import { Stack } from "../testing/stack";

// That one key never signs two transactions that could both count is shown where it signs:
// protocol/src/client/transaction-delivery.spec.ts.

const shape = { workloads: 4, connections: 2 };

describe.each(parallelisms)("two pipelines at parallelism %d", (parallel) => {
  /** Two runs of one stack that begin from the same state. */
  const two = async () => {
    const network = twoRegions();
    const first = new Stack(network, { parallel });
    expect((await first.up(separate(shape))).failures).toEqual({});
    const second = new Stack(network, { parallel });
    for (const [name, kept] of first.kept) {
      second.kept.set(name, kept);
    }
    return { network, first, second };
  };
  const changing = (name: string, image: string): Program => ({
    ...separate(shape),
    [name]: workload("shop", { infrastructure: "west", container: image, ports: [8080] }),
  });

  it("that change the same entry at once: one wins, the other is told what changed and by whom", async () => {
    const { network, first, second } = await two();
    network.beforeExecution = async () => {
      network.beforeExecution = () => {};
      expect((await second.up(changing("w1", "theirs:2"))).failures).toEqual({});
    };
    const { failures } = await first.up(changing("w1", "mine:2"));
    expect(Object.keys(failures)).toEqual(["w1"]);
    expect(failures["w1"]).toMatch(
      /somebody else changed workloads\/w1 of deployment .*: revision \d+ → \d+\n {2}by dcx1tenant \(this account, in another run\) in transaction TX\d+ at block \d+: web:1 → theirs:2\n.*pulumi refresh/,
    );
    // What it says to do is what helps.
    await first.refresh();
    expect((await first.preview(changing("w1", "theirs:2"))).steps).toEqual([]);
    expect((await first.up(changing("w1", "mine:3"))).failures).toEqual({});
    expect((await first.preview(changing("w1", "mine:3"))).steps).toEqual([]);
  });

  it("that change different entries at once: both count", async () => {
    const { network, first, second } = await two();
    const late = workload("shop", { infrastructure: "east", container: "theirs:2" });
    network.beforeExecution = async () => {
      network.beforeExecution = () => {};
      expect((await second.up({ ...separate(shape), late })).failures).toEqual({});
    };
    expect((await first.up(changing("w1", "mine:2"))).failures).toEqual({});
    const { version } = theDeployment(network);
    const manifests = [...network.holders.values()].map((holder) => holder.manifests.get(version)?.manifest);
    expect(JSON.parse(manifests.find((text) => text !== undefined) ?? "{}").workloads).toMatchObject({
      w1: { container: { image: expect.stringContaining("mine:2") } },
      late: { container: { image: expect.stringContaining("theirs:2") } },
    });
  });

  it("that create the same stack at once: one deployment", async () => {
    const network = twoRegions();
    const first = new Stack(network, { parallel });
    const second = new Stack(network, { parallel });
    await Promise.all([first.up(separate(shape)), second.up(separate(shape))]);
    expect(network.deployments.size).toBe(1);
    expect((await first.up(separate(shape))).failures).toEqual({});
    expect((await first.preview(separate(shape))).steps).toEqual([]);
    expect(theDeployment(network).manifestEntries).toBe(6);
  });
});
