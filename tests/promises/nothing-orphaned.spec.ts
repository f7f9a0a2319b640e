import {
  activeDeployments,
  kinds,
  parallelisms,
  theDeployment,
  twoRegions,
} from "../../provider/src/testing/model-world";
import { separate } from "../../provider/src/testing/program";
import { AttachedStack } from "../support/attached";

jest.setTimeout(600_000);

const program = separate({ workloads: 4, connections: 4 });

describe.each(parallelisms)("nothing is orphaned, under the real engine at parallelism %d", (parallel) => {
  // tests/soak.spec.ts kills at random moments, the plugin too; here it is the worst one.
  test("a create that dies between its transaction and its answer is found again and taken over, not made twice", async () => {
    const network = twoRegions();
    const stack = await AttachedStack.create(network, { parallel });
    const submit = network.submit.bind(network);
    network.submit = async (...args) => {
      network.submit = submit;
      await submit(...args);
      stack.killEngine();
      return new Promise(() => {});
    };
    try {
      await expect(stack.up(program)).rejects.toThrow();
      expect(kinds(network)).toEqual(["submit-deployment"]);
      expect((await stack.kept()).size).toBe(0);
      await stack.stack.cancel();
      const { diagnostics } = await stack.up(program);
      expect(diagnostics).toContain("made by an earlier run that did not record it: taking it over");
      expect(theDeployment(network)).toMatchObject({ manifestEntries: 8, incarnation: 2n });
      expect((await stack.kept()).get("shop")).toMatchObject({ incarnation: "2" });
      expect((await stack.preview(program)).steps).toEqual([]);
      await stack.destroy();
      expect(activeDeployments(network)).toEqual([]);
    } finally {
      stack.close();
    }
  });
});
