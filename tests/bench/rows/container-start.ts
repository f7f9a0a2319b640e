import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { HealthMonitor, type InstanceSpecification, openRuntime, type Runtime } from "@dcx/datacenter";
import { root } from "../../support/root";
import type { Cleanups } from "../cleanups";
import { type ContainerEngine, startContainerEngine } from "../container-engine";
import { type Bench, notMeasured, type Subject } from "../figure";
import { paired, timed } from "../measure";

const { buildImages } = require(join(root, "examples", "images", "build.cjs")) as {
  buildImages(folder: string): Promise<{ layout: string }>;
};
const run = promisify(execFile);

const subject: Subject = {
  name: "container: start to ready, image cached",
  unit: "ms",
  against: "`docker run` of the same image, until it has said that it listens",
  goal: { better: "lower", aim: 1.1, gate: 1.3 },
};

const image = "dcx.example/two-tier-api:1.0";
const port = 9_000;

/**
 * From the moment in which the runtime is told to start an instance until its health check has passed, with the limits
 * and rights that instances have; on an engine of its own.
 */
export const containerStart: Bench = {
  names: () => [subject.name],
  async *run({ log, cleanups }) {
    log(subject.name);
    try {
      yield { ...subject, outcome: await measure(cleanups) };
    } catch (error) {
      yield notMeasured(subject, error);
    }
  },
};

async function measure(cleanups: Cleanups) {
  const folder = mkdtempSync(join(tmpdir(), "dcx-bench-container-"));
  const removeFolder = cleanups.add(() => rmSync(folder, { recursive: true, force: true }));
  let engine: ContainerEngine | undefined;
  let runtime: Runtime | undefined;
  try {
    engine = await startContainerEngine("docker", join(folder, `bench${process.pid}`), cleanups);
    const { socket } = engine;
    const { layout } = await buildImages(join(folder, "images"));
    runtime = await openRuntime({
      isolation: "container",
      home: join(folder, "runtime"),
      imageLayouts: [layout],
      datacenter: "bench",
      containerSocket: socket,
      logger: { info: () => undefined, warn: () => undefined },
    });
    const digest = await runtime.pull(image);
    const loaded = `dcx.local/layout:${digest.slice("sha256:".length)}`;
    const opened = runtime;
    return await paired(
      { pairs: 9, warmup: 2 },
      () => startToReady(opened),
      () => dockerRun(socket, loaded),
    );
  } finally {
    await runtime?.close();
    await engine?.stop();
    await removeFolder();
  }
}

async function startToReady(runtime: Runtime): Promise<number> {
  const specification: InstanceSpecification = {
    id: "api",
    labels: { deployment: "tenant/1", infrastructure: "main", lease: "tenant/1/main/1", workload: "api", index: 0 },
    digest: "d",
    image,
    environment: {},
    limits: { cpu: 2_000, memory: 256n << 20n, disk: 64n << 20n, processes: 256 },
    volumes: [],
    hosts: {},
  };
  const taken = await timed(
    () =>
      new Promise<void>((resolve, reject) => {
        const health = new HealthMonitor(runtime, () => {
          if (health.of("api")?.serving === "yes") {
            health.close();
            resolve();
          }
        });
        runtime
          .start(specification)
          .then(
            () => health.watch([{ id: "api", run: "1", startedAt: new Date(), check: { http: "/" }, firstPort: port }]),
            reject,
          );
      }),
  );
  await runtime.remove("api");
  return taken;
}

/** Until the program has printed the line with which it says that it listens. */
async function dockerRun(socket: string, loaded: string): Promise<number> {
  const name = "bench-reference";
  const taken = await timed(async () => {
    const child = spawn(
      "docker",
      ["-H", `unix://${socket}`, "run", "--rm", "--name", name, "--network", "none", loaded],
      {
        stdio: ["ignore", "pipe", "pipe"],
      },
    );
    let said = "";
    child.stderr.on("data", (data) => {
      said += data;
    });
    const ended = once(child, "close").then(() => {
      throw new Error(`docker run: ${said.trim()}`);
    });
    ended.catch(() => undefined);
    await Promise.race([once(child.stdout, "data"), ended]);
  });
  await run("docker", ["-H", `unix://${socket}`, "rm", "--force", name]);
  return taken;
}
