import { parallelisms, theDeployment, twoRegions } from "../../provider/src/testing/model-world";
import { inline, type Program, separate, workload } from "../../provider/src/testing/program";
import { AttachedStack, failureOf } from "../support/attached";

jest.setTimeout(600_000);

const shape = { workloads: 4, connections: 4 };

/** A workload of another stack, which knows the deployment by its id alone. */
function onto(id: string, name: string): Program {
  const entry = workload("shop", { infrastructure: "west", container: "web:9" });
  return { [name]: { ...entry, after: [], inputs: () => entry.inputs(() => ({ id, outputs: {} })) } };
}

describe.each(parallelisms)("ownership, under the real engine at parallelism %d", (parallel) => {
  test("a name that another stack declares is refused naming both; each sees and deletes its own", async () => {
    const network = twoRegions();
    const mine = await AttachedStack.create(network, { parallel });
    const theirs = await AttachedStack.create(network, { parallel, project: "other" });
    try {
      await mine.up(separate(shape));
      const id = String((await mine.kept()).get("shop")?.["id"]);
      expect(await failureOf(theirs.up(onto(id, "w1")))).toMatch(
        /workloads\/w1 of deployment .* is declared by another stack, so urn:.*::w1 can't/,
      );
      await theirs.up(onto(id, "w9"));
      expect(theDeployment(network).manifestEntries).toBe(9);
      expect((await mine.preview(separate(shape))).steps).toEqual([]);
      await theirs.destroy();
      expect(theDeployment(network).manifestEntries).toBe(8);
      expect((await mine.preview(separate(shape))).steps).toEqual([]);
    } finally {
      mine.close();
      theirs.close();
    }
  });

  test("moving from inline to separate and back takes no transaction and stops nothing", async () => {
    const network = twoRegions();
    const stack = await AttachedStack.create(network, { parallel });
    try {
      await stack.up(inline(shape));
      const { version } = theDeployment(network);
      const sent = network.transactions.length;
      await stack.up(separate(shape));
      expect((await stack.preview(separate(shape))).steps).toEqual([]);
      await stack.up(inline(shape));
      expect((await stack.preview(inline(shape))).steps).toEqual([]);
      expect(theDeployment(network).version).toBe(version);
      expect(network.transactions).toHaveLength(sent);
    } finally {
      stack.close();
    }
  });
});
