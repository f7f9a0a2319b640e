import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openRuntime } from "./open";
import type { Limit, Runtime } from "./runtime";
import { probeControlGroups } from "./sandbox/control-groups";
import { type HogName, hogNames, hogs } from "./testing/hogs";
import { Neighbourhood } from "./testing/neighbourhood";

const { buildImages } = require("../../../examples/images/build.cjs") as {
  buildImages(folder: string): Promise<{ layout: string }>;
};

jest.setTimeout(120_000);

const logger = { info: () => undefined, warn: () => undefined };
const folder = mkdtempSync(join(tmpdir(), "dcx-neighbours-"));
let layout: string;

beforeAll(async () => {
  layout = (await buildImages(join(folder, "layouts"))).layout;
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** How a hog learns of its limit. How long its neighbour's answers take meanwhile is a row of the benchmark. */
const meets: Readonly<Record<HogName, (neighbourhood: Neighbourhood, mark: string) => Promise<unknown>>> = {
  "cpu spinner": (_, mark) => untilThrottled(mark),
  "memory hog": (neighbourhood) => neighbourhood.said(/^met SIGKILL$/),
  "fork bomb": (neighbourhood) => neighbourhood.said(/^met EAGAIN$/),
  "disk filler": (neighbourhood) => neighbourhood.said(/^met ENOSPC/),
};
const fewestAnswers = 20;

/** What only control groups can hold in a sandbox. */
const held: readonly Limit[] = process.getuid?.() === 0 ? probeControlGroups().enforced : [];
const offers = [
  { name: "container (Docker)", isolation: "container", socket: process.env["DCX_TEST_CONTAINER_SOCKET"] },
  { name: "container (Podman)", isolation: "container", socket: process.env["DCX_TEST_PODMAN_SOCKET"] },
  { name: "sandbox", isolation: "sandbox", socket: undefined },
] as const;

for (const { name, isolation, socket } of offers) {
  const there = isolation === "sandbox" ? process.platform === "linux" : socket !== undefined;
  (there ? describe : describe.skip)(`the neighbour of a hog, isolation ${name}`, () => {
    let runtime: Runtime;
    let neighbourhood: Neighbourhood;
    beforeAll(async () => {
      runtime = await openRuntime({
        isolation,
        home: join(folder, name.replace(/\W+/g, "-")),
        imageLayouts: [layout],
        datacenter: `neighbours-${process.pid}`,
        logger,
        ...(socket === undefined ? {} : { containerSocket: socket }),
      });
      neighbourhood = await Neighbourhood.open(runtime);
    });
    afterAll(async () => {
      await neighbourhood.close();
      await runtime.close();
    });

    for (const hog of hogNames) {
      const { limit } = hogs[hog];
      const needsGroups = isolation === "sandbox" && (limit === "cpu" || limit === "memory");
      const possible = needsGroups && !held.includes(limit) ? it.skip : it;
      possible(`answers every request while a ${hog} meets its own limit`, async () => {
        const before = await neighbour(runtime);
        const mark = `${hog} ${name} ${process.pid}`;
        await neighbourhood.startHog(hog, mark);
        let [met, answers] = [false, 0];
        const meeting = meets[hog](neighbourhood, mark).finally(() => {
          met = true;
        });
        for (; !met || answers < fewestAnswers; answers++) await neighbourhood.ask();
        await meeting;
        await neighbourhood.removeHog();
        await neighbourhood.ask();
        expect(await neighbour(runtime)).toEqual(before);
      });
    }
  });
}

async function neighbour(runtime: Runtime): Promise<unknown> {
  return (await runtime.list()).find(({ id }) => id === "neighbour");
}

/** Until the kernel has let the processes with this mark wait for their next share of a processor three times. */
async function untilThrottled(mark: string): Promise<void> {
  while (throttledPeriods(mark) < 3) await new Promise((resolve) => setTimeout(resolve, 50));
}

function throttledPeriods(mark: string): number {
  const counts = readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name) && readIfThere(`/proc/${name}/cmdline`).includes(`\0${mark}\0`))
    .map((pid) => {
      const groups = readIfThere(`/proc/${pid}/cgroup`);
      // Version 1 has a line for each controller, version 2 one for all.
      const [, path] = /^\d+:(?:[\w,]+,)?cpu(?:,[\w,]+)?:(.*)$/m.exec(groups) ?? [];
      const group = path === undefined ? (/^0::(.*)$/m.exec(groups)?.[1] ?? "") : join("cpu", path);
      const statistics = readIfThere(join("/sys/fs/cgroup", group, "cpu.stat"));
      return Number(/^nr_throttled (\d+)$/m.exec(statistics)?.[1] ?? 0);
    });
  return Math.max(0, ...counts);
}

/** What is in a file of a process that may end at any moment. */
function readIfThere(file: string): string {
  try {
    return readFileSync(file, "utf8");
  } catch {
    return "";
  }
}
