import { parallelisms, theDeployment, twoRegions } from "../../provider/src/testing/model-world";
import { inline, separate } from "../../provider/src/testing/program";
import { AttachedStack, failureOf } from "../support/attached";

jest.setTimeout(600_000);

const shape = { workloads: 4, connections: 4 };

describe.each(parallelisms)("done means done, under the real engine at parallelism %d", (parallel) => {
  test.each([
    ["inline", inline],
    ["separate", separate],
  ])("an up fails with what is missing, keeps what there is, and the next one goes on: %s", async (form, programOf) => {
    const network = twoRegions();
    for (const holder of network.holders.values()) {
      holder.broken = "exit code 7";
    }
    const program = programOf(shape);
    // Long enough for an engine that has little of the processor; what is broken stays broken.
    const stack = await AttachedStack.create(network, { parallel, settings: { timeout: 5 } });
    try {
      expect(await failureOf(stack.up(program))).toMatch(/w\d: 0 of 1 (ready|started); instance 1 exit code 7/);
      expect((await stack.kept()).get("shop")).toMatchObject({ id: "dcx-model/dcx1tenant/1" });
      for (const holder of network.holders.values()) {
        holder.broken = undefined;
      }
      await stack.up(program);
      expect((await stack.preview(program)).steps).toEqual([]);
      const { version, manifestEntries, infrastructures } = theDeployment(network);
      expect(manifestEntries).toBe(8);
      for (const { lease } of Object.values(infrastructures)) {
        expect(lease?.confirmedVersion).toBe(version);
      }
      const kept = await stack.kept();
      expect(form === "inline" ? kept.get("shop")?.["addresses"] : kept.get("c1")).toMatchObject(
        form === "inline" ? { c2: "w3:8080" } : { address: expect.stringContaining("http://") },
      );
    } finally {
      stack.close();
    }
  });
});
