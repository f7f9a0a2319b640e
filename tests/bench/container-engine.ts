import { join } from "node:path";
import { root } from "../support/root";
import type { Cleanups } from "./cleanups";
import { outputOf } from "./processes";

const tool = join(root, "tools", "container-engine.sh");

export interface ContainerEngine {
  readonly socket: string;
  stop(): Promise<void>;
}

/**
 * A container engine of this run's own, in a folder that is made for it. Rejects with what the machine lacks: it needs root
 * and the engine's programs.
 */
export async function startContainerEngine(
  kind: "docker" | "podman",
  folder: string,
  cleanups: Cleanups,
): Promise<ContainerEngine> {
  const socket = (await outputOf(tool, ["start", folder, kind])).trim();
  return { socket, stop: cleanups.add(async () => void (await outputOf(tool, ["stop", folder]))) };
}
