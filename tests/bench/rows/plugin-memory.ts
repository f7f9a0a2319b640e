import { join } from "node:path";
import { ResidentMemory } from "../engine/resident";
import { EngineWorld } from "../engine/world";
import { type Bench, notMeasured, type Subject } from "../figure";

/** Megabytes of 2^20 bytes. */
const most = 120;

function subjectOf(resources: number): Subject {
  return {
    name: `plugin: memory with ${resources.toLocaleString("en-US")} resources`,
    unit: "MB",
    against: `${most} MB, whatever the number of resources`,
    goal: { better: "lower", aim: 1, gate: 1 },
  };
}

/** The most resident memory of the plugin's process, over a create, a preview and a no-op up. */
export const pluginMemory: Bench = {
  names: ({ resources }) => resources.map((count) => subjectOf(count).name),
  async *run({ resources, log, cleanups }, wanted) {
    for (const count of resources) {
      const subject = subjectOf(count);
      if (!wanted(subject.name)) {
        continue;
      }
      log(subject.name);
      let world: EngineWorld | undefined;
      try {
        world = await EngineWorld.start(cleanups);
        const memory = ResidentMemory.in(join(world.folder, "resident"));
        const stack = (await world.stack("dcx", count)).with(memory.environment);
        await stack.up();
        await stack.previewNothing();
        await stack.upNothing();
        const value = memory.most();
        yield { ...subject, outcome: { value, reference: most, ratio: value / most } };
      } catch (error) {
        yield notMeasured(subject, error);
      } finally {
        await world?.close();
      }
    }
  },
};
