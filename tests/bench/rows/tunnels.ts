import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { root } from "../../support/root";
import { type Bench, type Figure, notMeasured, type Subject } from "../figure";
import { paired } from "../measure";
import { OwnNetwork } from "../own-network";
import { outputOf } from "../processes";
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

/**
 * A tunnel between two agents' overlays, with their helpers in the networks of instances, and one between two Envoys: all
 * in one network of their own, with the service behind them and the load before them.
 */
export const tunnels: Bench = {
  names: () => kinds.map((kind) => subjects[kind].name),
  async *run({ log, cleanups }, wanted) {
    const chosen = kinds.filter((kind) => wanted(subjects[kind].name));
    const folder = mkdtempSync(join(tmpdir(), "dcx-bench-tunnels-"));
    let network: OwnNetwork | undefined;
    const close = cleanups.add(async () => {
      await network?.close();
      rmSync(folder, { recursive: true, force: true });
    });
    try {
      const envoy = (await outputOf(process.execPath, [join(root, "tools", "envoy.cjs")])).trim();
      const program = join(root, ".cache", "tests", "bench", "tunnels", "driver.js");
      const opened = await OwnNetwork.start(program, [folder, envoy], join(folder, "driver.log"));
      network = opened;
      const ask = (way: Question["way"], kind: Kind) => () => opened.figure({ way, kind } satisfies Question);
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
