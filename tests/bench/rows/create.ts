import { RecordingProxy } from "../chains/recording-proxy";
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

/**
 * The whole `pulumi up` on an empty stack, less the time in which the plugin waited for the exchange: while a call was
 * on its way, and from the broadcast of a transaction until the plugin learned its block.
 */
export const create: Bench = {
  names: () => [subject.name],
  async *run({ log, cleanups }) {
    log(subject.name);
    let world: EngineWorld | undefined;
    let proxy: RecordingProxy | undefined;
    try {
      const opened = await EngineWorld.start(cleanups);
      world = opened;
      const recording = await RecordingProxy.before(opened.exchange.rpcUrl);
      proxy = recording;
      const whole: number[] = [];
      const ours = async (): Promise<number> => {
        const stack = await opened.stack("dcx", resources, recording.url);
        const start = performance.now();
        await stack.up();
        const end = performance.now();
        whole.push(end - start);
        return end - start - recording.awaited(start, end);
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
      await proxy?.close();
      await world?.close();
    }
  },
};
