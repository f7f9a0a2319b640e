import { parallelisms, theDeployment, twoRegions } from "../../provider/src/testing/model-world";
import { type Program, separate, workload } from "../../provider/src/testing/program";
import { AttachedStack, failureOf } from "../support/attached";

jest.setTimeout(600_000);

const shape = { workloads: 4, connections: 2 };
const changing = (name: string, image: string): Program => ({
  ...separate(shape),
  [name]: workload("shop", { infrastructure: "west", container: image, ports: [8080] }),
});

describe.each(parallelisms)("two pipelines, under the real engine at parallelism %d", (parallel) => {
  test("at one entry at once: one wins, the other is told what changed and by whom, and a refresh helps", async () => {
    const network = twoRegions();
    const first = await AttachedStack.create(network, { parallel });
    await first.up(separate(shape));
    const second = await AttachedStack.create(network, { parallel, like: first });
    try {
      network.beforeExecution = async () => {
        network.beforeExecution = () => {};
        await second.up(changing("w1", "theirs:2"));
      };
      expect(await failureOf(first.up(changing("w1", "mine:2")))).toMatch(
        /somebody else changed workloads\/w1 of deployment .*: revision \d+ → \d+\n {2}by dcx1tenant \(this account, in another run\) in transaction TX\d+ at block \d+: web:1 → theirs:2/,
      );
      await first.refresh();
      expect((await first.preview(changing("w1", "theirs:2"))).steps).toEqual([]);
      await first.up(changing("w1", "mine:3"));
      expect((await first.preview(changing("w1", "mine:3"))).steps).toEqual([]);
      expect(theDeployment(network).manifestEntries).toBe(6);
    } finally {
      first.close();
      second.close();
    }
  });
});
