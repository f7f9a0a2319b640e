import { NetworkError } from "../../provider/src/network/driver";
import { parallelisms, theDeployment, twoRegions } from "../../provider/src/testing/model-world";
import { separate } from "../../provider/src/testing/program";
import { AttachedStack, failureOf } from "../support/attached";

jest.setTimeout(600_000);

const program = separate({ workloads: 4, connections: 4 });

describe.each(parallelisms)("actual state, under the real engine at parallelism %d", (parallel) => {
  test("a broken lease is shown by a preview and healed by an up; unreachable is neither gone nor changed", async () => {
    const network = twoRegions();
    const stack = await AttachedStack.create(network, { parallel });
    try {
      await stack.up(program);
      network.breakLease(theDeployment(network), "west");
      const { steps } = await stack.preview(program);
      expect(steps.filter(({ operation }) => operation === "update")).toContainEqual(
        expect.objectContaining({ name: "shop", diffs: ["infrastructures.west"] }),
      );
      await stack.up(program);
      expect((await stack.preview(program)).steps).toEqual([]);

      const snapshot = network.snapshot.bind(network);
      network.snapshot = async () => {
        throw new NetworkError("unreachable", "no node answers");
      };
      expect(await failureOf(stack.preview(program))).toContain("no node answers");
      expect(await failureOf(stack.refresh())).toContain("no node answers");
      expect((await stack.kept()).size).toBe(9);
      network.snapshot = snapshot;
      expect((await stack.preview(program)).steps).toEqual([]);
    } finally {
      stack.close();
    }
  });
});
