import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openRuntime, type Runtime } from "@dcx/datacenter";
import { type HogName, hogNames, hogs } from "@dcx/datacenter/dist/runtime/testing/hogs";
import { Neighbourhood } from "@dcx/datacenter/dist/runtime/testing/neighbourhood";
import { root } from "../../support/root";
import type { Cleanups } from "../cleanups";
import { type ContainerEngine, startContainerEngine } from "../container-engine";
import { type Bench, type Figure, notMeasured, type Settings, type Subject } from "../figure";
import { paired, type Sample } from "../measure";

const { buildImages } = require(join(root, "examples", "images", "build.cjs")) as {
  buildImages(folder: string): Promise<{ layout: string }>;
};

const places = ["sandbox", "Docker", "Podman"] as const;
type Place = (typeof places)[number];

function subjectOf(hog: HogName, place: Place): Subject {
  return {
    name: `neighbour of a ${hog}, ${place}: p99`,
    unit: "ms",
    against: "the same without it",
    goal: { better: "lower", aim: 1.2, gate: 1.5 },
  };
}

/** An instance answers requests, while another in the same runtime takes all that it is let of one thing, and without it. */
export const neighbours: Bench = {
  names: () => places.flatMap((place) => hogNames.map((hog) => subjectOf(hog, place).name)),
  async *run(settings, wanted) {
    for (const place of places) {
      const chosen = hogNames.filter((hog) => wanted(subjectOf(hog, place).name));
      if (chosen.length > 0) yield* measureIn(place, chosen, settings);
    }
  },
};

async function* measureIn(
  place: Place,
  chosen: readonly HogName[],
  { log, cleanups }: Settings,
): AsyncGenerator<Figure> {
  const left = new Set(chosen);
  const folder = mkdtempSync(join(tmpdir(), "dcx-bench-neighbours-"));
  let engine: ContainerEngine | undefined;
  let runtime: Runtime | undefined;
  let neighbourhood: Neighbourhood | undefined;
  const close = cleanups.add(async () => {
    await neighbourhood?.close();
    await runtime?.close();
    await engine?.stop();
    rmSync(folder, { recursive: true, force: true });
  });
  try {
    const { layout } = await buildImages(join(folder, "images"));
    engine = place === "sandbox" ? undefined : await startEngine(place, folder, cleanups);
    runtime = await openRuntime({
      ...(engine === undefined ? { isolation: "sandbox" } : { isolation: "container", containerSocket: engine.socket }),
      home: join(folder, "runtime"),
      imageLayouts: [layout],
      datacenter: "bench",
      logger: { info: () => undefined, warn: () => undefined },
    });
    neighbourhood = await Neighbourhood.open(runtime);
    for (const hog of chosen) {
      const subject = subjectOf(hog, place);
      log(subject.name);
      // Without a limit on processor time it takes that, whatever else it takes.
      const unenforced = runtime.unenforced.filter((limit) => limit === "cpu" || limit === hogs[hog].limit);
      const outcome =
        unenforced.length === 0
          ? await withAndWithout(hog, neighbourhood)
          : { why: `not enforced on this machine: ${unenforced.join(", ")}` };
      left.delete(hog);
      yield { ...subject, outcome };
    }
  } catch (error) {
    for (const hog of left) yield notMeasured(subjectOf(hog, place), error);
  } finally {
    await close();
  }
}

function startEngine(place: "Docker" | "Podman", folder: string, cleanups: Cleanups): Promise<ContainerEngine> {
  const kind = place === "Docker" ? "docker" : "podman";
  return startContainerEngine(kind, join(folder, `bench${process.pid}${kind}`), cleanups);
}

function withAndWithout(hog: HogName, neighbourhood: Neighbourhood): Promise<Sample> {
  return paired(
    { pairs: 5, warmup: 1 },
    async () => {
      await neighbourhood.startHog(hog);
      const taken = await p99(neighbourhood);
      await neighbourhood.removeHog();
      return taken;
    },
    () => p99(neighbourhood),
  );
}

/**
 * Milliseconds of a round, and of the pause between two requests of people. A round has some 450 requests: of a hundred the 99th
 * percentile is one or two, and rows went from 1.2 to 1.7 and back from one run to the next.
 */
const [roundLength, pause] = [6_000, 2];

/** The 99th percentile of the milliseconds that requests take, one after the other. */
async function p99(neighbourhood: Neighbourhood): Promise<number> {
  const taken: number[] = [];
  const end = performance.now() + roundLength;
  while (performance.now() < end) {
    const start = performance.now();
    await neighbourhood.ask();
    taken.push(performance.now() - start);
    await new Promise((resolve) => setTimeout(resolve, pause));
  }
  const sorted = taken.sort((one, other) => one - other);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * 0.99))] ?? Number.NaN;
}
