import { parallelisms, twoRegions } from "../../provider/src/testing/model-world";
import { inline, separate } from "../../provider/src/testing/program";
import { AttachedStack } from "../support/attached";
import type { Step } from "../support/stack";

jest.setTimeout(600_000);

const shape = { workloads: 4, connections: 4 };
const shown = (steps: readonly Step[]): readonly string[] =>
  steps.map(({ name, operation, diffs }) => `${operation} ${name} ${diffs.join()}`).sort();

describe.each(parallelisms)("a plan is data, under the real engine at parallelism %d", (parallel) => {
  test.each([
    ["inline", inline],
    ["separate", separate],
  ])("what a preview shows is what the up does, and the preview sends nothing: %s", async (form, programOf) => {
    const network = twoRegions();
    const stack = await AttachedStack.create(network, { parallel });
    try {
      const first = await stack.preview(programOf(shape));
      expect(first.diagnostics).toMatch(/1 transaction: SubmitDeployment/);
      expect(network.transactions).toEqual([]);
      expect(shown((await stack.up(programOf(shape))).steps)).toEqual(shown(first.steps));
      const sent = network.transactions.length;

      const changed = programOf({ ...shape, image: "web:2" });
      const preview = await stack.preview(changed);
      expect(preview.diagnostics).toMatch(/UpdateDeployment/);
      expect(network.transactions).toHaveLength(sent);
      expect(shown((await stack.up(changed)).steps)).toEqual(shown(preview.steps));
      const after = network.transactions.slice(sent).map(({ kind }) => kind);
      expect(new Set(after)).toEqual(new Set(["update-deployment"]));
      expect(form === "inline" ? after : ["update-deployment"]).toHaveLength(1);

      expect((await stack.up(changed)).steps).toEqual([]);
      expect(network.transactions).toHaveLength(sent + after.length);
    } finally {
      stack.close();
    }
  });
});
