import { mkdirSync } from "node:fs";
import { join } from "node:path";
import type { Isolation } from "@dcx/protocol";
import { openSeal } from "../home/home";
import type { Seal } from "../home/seal";
import { openImageStore } from "../images/store";
import { ContainerRuntime } from "./container/container-runtime";
import { findEngine } from "./container/engine-socket";
import { mappedRoot } from "./container/mapped-users";
import { restartsWithDelays } from "./container/restarts";
import { SizedVolumes } from "./container/sized-volumes";
import { plainMethod } from "./none/none";
import { programCommand } from "./programs";
import type { Runtime } from "./runtime";
import { type SandboxMaker, sandboxMethod, sandboxOwnerOffset } from "./sandbox/sandbox";
import { findTool } from "./sandbox/tools";
import { SupervisedRuntime } from "./supervised/supervised-runtime";

interface RuntimeLogger {
  info(details: object, message: string): void;
  warn(details: object, message: string): void;
}

export interface RuntimeOptions {
  /** "auto": the strongest that there is, but never "none", which has to be said. */
  readonly isolation: Isolation | "auto";
  /** Folder of its own. */
  readonly home: string;
  /** OCI layouts, or folders of them, that images are looked for in before any registry. */
  readonly imageLayouts: readonly string[];
  /** Docker or Podman socket. Absent: DOCKER_HOST, then the usual places. */
  readonly containerSocket?: string;
  /** Milliseconds that an image that nothing runs from stays. Absent: a week. A container engine looks after its own. */
  readonly keepImages?: number;
  /** Seals what is the tenants' own and lies on disk. Absent: by a key in `home`. */
  readonly seal?: Seal;
  /** Account address: marks what is this agent's own in a container engine. */
  readonly datacenter: string;
  readonly logger: RuntimeLogger;
  /** Absent: bubblewrap where it works, else util-linux's `unshare`. */
  readonly sandboxMaker?: SandboxMaker;
  /** Where a bundle has put the runtime's programs. Absent: beside this file. */
  readonly programs?: string;
}

const usualKeep = 7 * 24 * 3_600_000;

/** Opens the runtime of a datacenter. Throws saying what was tried and what to do when there is none. */
export async function openRuntime(options: RuntimeOptions): Promise<Runtime> {
  mkdirSync(options.home, { recursive: true, mode: 0o700 });
  const reasons: string[] = [];
  for (const [isolation, open] of attempts) {
    if (options.isolation !== isolation && !(options.isolation === "auto" && isolation !== "none")) {
      continue;
    }
    try {
      const runtime = await open(options);
      options.logger.info({ isolation, unenforced: runtime.unenforced }, "the runtime is open");
      return runtime;
    } catch (error) {
      reasons.push(`${isolation}: ${error instanceof Error ? error.message : error}`);
    }
  }
  throw new Error(
    `no isolation for workloads of the kind "${options.isolation}" is to be had on this machine.\n` +
      `${reasons.map((reason) => `  ${reason}`).join("\n")}\n` +
      "Start Docker or Podman, or install bubblewrap or util-linux; for workloads of your own only, " +
      "isolation none runs them as plain processes.",
  );
}

const attempts: readonly (readonly [Isolation, (options: RuntimeOptions) => Promise<Runtime>])[] = [
  ["container", openContainers],
  ["sandbox", openSandbox],
  ["none", openPlain],
];

async function openContainers(options: RuntimeOptions): Promise<Runtime> {
  const { engine, at } = await findEngine(options.containerSocket);
  const nsenter = findTool("nsenter");
  if (process.platform !== "linux" || process.getuid?.() !== 0 || nsenter === undefined) {
    throw new Error(
      `${at} answers, but connections between containers need the agent to be root on the engine's own Linux machine, ` +
        "with nsenter (util-linux). Run the agent as root there.",
    );
  }
  const rootUser = await mappedRoot(engine);
  // Users of a range of their own can't come to what the agent mounts in its folder.
  const sizedVolumes =
    rootUser === undefined ? SizedVolumes.open(join(options.home, "container", "volumes")) : undefined;
  return ContainerRuntime.open({
    engine,
    restarts: await restartsWithDelays(engine),
    ...(rootUser === undefined ? {} : { rootUser }),
    ...(sizedVolumes === undefined ? {} : { sizedVolumes }),
    nsenter,
    imageLayouts: options.imageLayouts,
    datacenter: options.datacenter,
    networkHelper: programCommand("network-helper", options.programs),
    logger: options.logger,
  });
}

async function openSandbox(options: RuntimeOptions): Promise<Runtime> {
  const home = join(options.home, "sandbox");
  const method = sandboxMethod({
    home,
    networkHelper: programCommand("network-helper", options.programs),
    ...(options.sandboxMaker === undefined ? {} : { maker: options.sandboxMaker }),
  });
  return SupervisedRuntime.open({
    home,
    images: await openImageStore({
      home: join(home, "images"),
      layouts: options.imageLayouts,
      ...(process.getuid?.() === 0 ? { ownerOffset: sandboxOwnerOffset } : {}),
    }),
    method,
    keepImages: options.keepImages ?? usualKeep,
    supervisor: programCommand("supervisor", options.programs),
    seal: options.seal ?? openSeal(options.home),
    logger: options.logger,
  });
}

async function openPlain(options: RuntimeOptions): Promise<Runtime> {
  const home = join(options.home, "plain");
  return SupervisedRuntime.open({
    home,
    images: await openImageStore({ home: join(home, "images"), layouts: options.imageLayouts }),
    method: plainMethod(),
    keepImages: options.keepImages ?? usualKeep,
    supervisor: programCommand("supervisor", options.programs),
    seal: options.seal ?? openSeal(options.home),
    logger: options.logger,
  });
}
