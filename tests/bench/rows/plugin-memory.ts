import { join } from "node:path";
import { ResidentMemory } from "../engine/resident";
import { EngineWorld } from "../engine/world";
import { type Bench, notMeasured, type Subject } from "../figure";

/** Megabytes of 2^20 bytes. */
const most = 120;

type Form = "dcx" | "packaged";
const forms: readonly Form[] = ["dcx", "packaged"];

function subjectOf(form: Form, resources: number): Subject {
  return {
    name: `plugin${form === "packaged" ? " as released" : ""}: memory with ${resources.toLocaleString("en-US")} resources`,
    unit: "MB",
    against: `${most} MB, whatever the number of resources`,
    goal: { better: "lower", aim: 1, gate: 1 },
  };
}

/** The most resident memory of the plugin's process, over a create, a preview and a no-op up. */
export const pluginMemory: Bench = {
  names: ({ resources }) => rowsOf(resources).map(({ subject }) => subject.name),
  async *run({ resources, log, cleanups }, wanted) {
    for (const { form, count, subject } of rowsOf(resources)) {
      if (!wanted(subject.name)) {
        continue;
      }
      log(subject.name);
      let world: EngineWorld | undefined;
      try {
        world = await EngineWorld.start(cleanups);
        const memory = ResidentMemory.in(join(world.folder, "resident"));
        const stack = (await world.stack(form, count)).with(memory.environment);
        await stack.make();
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

function rowsOf(resources: readonly number[]) {
  return resources.flatMap((count) => forms.map((form) => ({ form, count, subject: subjectOf(form, count) })));
}
