import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { root } from "../../support/root";
import type { Kind } from "../connections/driver";
import { type Bench, notMeasured, type Subject } from "../figure";
import { paired } from "../measure";
import { OwnNetwork } from "../own-network";

const goal = { better: "lower", aim: 0.5, gate: 1 } as const;
const against = "0.2 s";
const bound = 200;
const subjects: Readonly<Record<Kind, Subject>> = {
  "tunnel port": { name: "5,000 connections: who the tunnel port lets in", unit: "ms", against, goal },
  instance: { name: "5,000 connections: redirected in one instance", unit: "ms", against, goal },
};
const kinds = Object.keys(subjects) as Kind[];

/** All connections change at once: what was there before is replaced. */
export const connectionsApplied: Bench = {
  names: () => kinds.map((kind) => subjects[kind].name),
  async *run({ log, cleanups }, wanted) {
    const chosen = kinds.filter((kind) => wanted(subjects[kind].name));
    const folder = mkdtempSync(join(tmpdir(), "dcx-bench-connections-"));
    let network: OwnNetwork | undefined;
    const close = cleanups.add(async () => {
      await network?.close();
      rmSync(folder, { recursive: true, force: true });
    });
    try {
      const program = join(root, ".cache", "tests", "bench", "connections", "driver.js");
      const opened = await OwnNetwork.start(program, [join(folder, "overlay")], join(folder, "driver.log"));
      network = opened;
      for (const kind of chosen) {
        log(subjects[kind].name);
        const outcome = await paired(
          { pairs: 11, warmup: 2 },
          () => opened.figure({ kind }),
          () => bound,
        );
        yield { ...subjects[kind], outcome };
      }
    } catch (error) {
      for (const kind of chosen) yield notMeasured(subjects[kind], error);
    } finally {
      await close();
    }
  },
};
