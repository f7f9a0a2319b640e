import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { z } from "zod";
import { root } from "../../support/root";
import { type Bench, type Figure, notMeasured, type Subject } from "../figure";
import { paired } from "../measure";
import { outputOf, Service } from "../processes";
import type { Question } from "../tunnels/driver";
import type { Kind } from "../tunnels/load";

const against = "two Envoys with the same certificates";
const subjects: Readonly<Record<Kind, Subject>> = {
  throughput: {
    name: "tunnel: throughput",
    unit: "MiB/s",
    against,
    goal: { better: "higher", aim: 0.6, gate: 0.4 },
  },
  connections: {
    name: "tunnel: new connections",
    unit: "1/s",
    against,
    goal: { better: "higher", aim: 2, gate: 1 },
  },
  latency: {
    name: "tunnel: p99 at 32 connections",
    unit: "ms",
    against,
    goal: { better: "lower", aim: 0.5, gate: 1 },
  },
};
const kinds = Object.keys(subjects) as Kind[];

const Answer = z.union([z.object({ figure: z.number() }), z.object({ error: z.string() })]);

/**
 * A tunnel between two agents' overlays, with their helpers in the networks of instances, and one between two Envoys: all
 * in one network of their own, with the service behind them and the load before them.
 */
export const tunnels: Bench = {
  names: () => kinds.map((kind) => subjects[kind].name),
  async *run({ log, cleanups }, wanted) {
    const chosen = kinds.filter((kind) => wanted(subjects[kind].name));
    const folder = mkdtempSync(join(tmpdir(), "dcx-bench-tunnels-"));
    let driver: Service | undefined;
    const close = cleanups.add(async () => {
      await driver?.stop();
      rmSync(folder, { recursive: true, force: true });
    });
    try {
      const envoy = (await outputOf(process.execPath, [join(root, "tools", "envoy.cjs")])).trim();
      const own = process.getuid?.() === 0 ? ["--net"] : ["--map-root-user", "--net"];
      const program = join(root, ".cache", "tests", "bench", "tunnels", "driver.js");
      const logFile = join(folder, "driver.log");
      const started = Service.start("unshare", [...own, process.execPath, program, folder, envoy], {
        logFile,
        messages: "ipc",
      });
      driver = started;
      await started.nextMessage();
      const ask = (way: Question["way"], kind: Kind) => async () => {
        const answer = Answer.parse(await started.ask({ way, kind } satisfies Question));
        if ("error" in answer) throw new Error(`${way}: ${answer.error}`);
        return answer.figure;
      };
      for (const kind of chosen) {
        log(subjects[kind].name);
        const outcome = await paired({ pairs: 7, warmup: 1 }, ask("overlay", kind), ask("envoy", kind));
        yield { ...subjects[kind], outcome } satisfies Figure;
      }
    } catch (error) {
      for (const kind of chosen) yield notMeasured(subjects[kind], error);
    } finally {
      await close();
    }
  },
};
