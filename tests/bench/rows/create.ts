import { join } from "node:path";
import { awaitedIn } from "../engine/trace";
import { EngineWorld } from "../engine/world";
import { type Bench, notMeasured, type Subject } from "../figure";
import { median, paired, timed } from "../measure";

const resources = 100;

const subject: Subject = {
  name: `create of ${resources} resources, less what the exchange was awaited`,
  unit: "ms",
  against: "the same program on a plugin that does nothing",
  goal: { better: "lower", aim: 1.2, gate: 1.5 },
};

/** The whole `pulumi up` on an empty stack, less the time in which the plugin awaited its driver, by its own trace. */
export const create: Bench = {
  names: () => [subject.name],
  async *run({ log, cleanups }) {
    log(subject.name);
    let world: EngineWorld | undefined;
    try {
      const opened = await EngineWorld.start(cleanups);
      world = opened;
      const whole: number[] = [];
      const ours = async (): Promise<number> => {
        const trace = join(opened.folder, `trace-${whole.length}`);
        const stack = (await opened.stack("dcx", resources)).with({ DCX_TRACE: trace });
        const start = now();
        await stack.up();
        const end = now();
        whole.push(end - start);
        return end - start - awaitedIn(trace, [start, end]);
      };
      const nothing = async (): Promise<number> => {
        const stack = await opened.stack("nothing", resources);
        return timed(() => stack.up());
      };
      const outcome = await paired({ pairs: 5, warmup: 1 }, ours, nothing);
      const seconds = (median(whole) / 1_000).toFixed(1);
      yield { ...subject, outcome, remark: `with the waiting it takes ${seconds} s, at a block each 100 ms` };
    } catch (error) {
      yield notMeasured(subject, error);
    } finally {
      await world?.close();
    }
  },
};

/** Milliseconds since 1970, as the trace has them. */
function now(): number {
  return performance.timeOrigin + performance.now();
}
