import type { BenchStack } from "../engine/stack";
import { EngineWorld } from "../engine/world";
import { type Bench, notMeasured, type Subject } from "../figure";
import { paired, timed } from "../measure";

type Operation = "preview" | "no-op up";
const operations: readonly Operation[] = ["preview", "no-op up"];

function subjectOf(operation: Operation, resources: number): Subject {
  return {
    name: `${operation} of ${resources.toLocaleString("en-US")} resources`,
    unit: "ms",
    against: "the same program on a plugin that does nothing, and that also asks for a refresh before an update",
    goal: { better: "lower", aim: 1.2, gate: 1.5 },
  };
}

/** The whole command, from its start to its end, where the stack is as the program says. */
export const nothingToDo: Bench = {
  names: ({ resources }) =>
    resources.flatMap((count) => operations.map((operation) => subjectOf(operation, count).name)),
  async *run({ resources, log, cleanups }, wanted) {
    for (const count of resources) {
      const rows = operations
        .map((operation) => ({ operation, subject: subjectOf(operation, count) }))
        .filter(({ subject }) => wanted(subject.name));
      if (rows.length === 0) {
        continue;
      }
      let world: EngineWorld | undefined;
      try {
        log(`${rows.map(({ subject }) => subject.name).join(", ")}: creating them`);
        world = await EngineWorld.start(cleanups);
        const [ours, nothing] = [await world.stack("dcx", count), await world.stack("nothing", count)];
        await ours.make();
        await nothing.make();
        for (const { operation, subject } of rows) {
          log(subject.name);
          const counts = { pairs: count > 100 ? 3 : 7, warmup: 1 };
          const outcome = await paired(counts, measured(ours, operation), measured(nothing, operation));
          yield { ...subject, outcome };
        }
      } catch (error) {
        for (const { subject } of rows) {
          yield notMeasured(subject, error);
        }
      } finally {
        await world?.close();
      }
    }
  },
};

function measured(stack: BenchStack, operation: Operation): () => Promise<number> {
  return () => timed(() => (operation === "preview" ? stack.previewNothing() : stack.upNothing()));
}
