import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, rmSync, statSync } from "node:fs";
import { join } from "node:path";
import { findSandboxTools, type SandboxTools } from "../sandbox/tools";
import { findVolumeMaker, prepareVolume } from "../sandbox/volumes";

const mountPoint = "mounted";

/**
 * Volumes whose size is a hard limit: each is a file system image, mounted on this machine for as long as the volume
 * lives, so that a container that the engine starts again by itself finds it. After a start of the machine nothing is
 * mounted, and what a container names of a volume is not there: the engine refuses to start it, rather than to let it
 * write without a bound, until `mountAll`.
 */
export class SizedVolumes {
  private constructor(
    readonly folder: string,
    readonly maker: string,
    readonly tools: SandboxTools,
  ) {}

  /** Undefined where this machine can't: without root, mkfs.ext4 or loop devices. */
  static open(folder: string): SizedVolumes | undefined {
    let tools: SandboxTools;
    try {
      tools = findSandboxTools();
    } catch {
      return undefined;
    }
    const maker = findVolumeMaker(tools, process.getuid?.() === 0);
    if (maker === undefined) {
      return undefined;
    }
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    return new SizedVolumes(folder, maker, tools);
  }

  /** Makes and mounts a volume where that has not been done. Returns the folder that a workload is to see. */
  provide(name: string, size: bigint): string {
    const place = join(this.folder, name);
    mkdirSync(place, { recursive: true, mode: 0o700 });
    const { image, at, source } = prepareVolume(this.maker, place, join(place, mountPoint), size, undefined);
    if (image === undefined) {
      throw new Error(`${place} is no volume: it has no file system image; remove the folder`);
    }
    if (!isMounted(place)) {
      this.#run(this.tools.mount, ["-o", "loop,nosuid,nodev", image, at]);
    }
    return source;
  }

  /** Mounts what the machine's last start has left unmounted. Calls `onFailure` for each that can't be, and goes on. */
  mountAll(onFailure: (name: string, error: unknown) => void): void {
    for (const name of readdirSync(this.folder)) {
      try {
        // One that was never finished has nothing to mount.
        if (existsSync(join(this.folder, name, mountPoint))) {
          this.provide(name, 0n);
        }
      } catch (error) {
        onFailure(name, error);
      }
    }
  }

  /** Removes a volume with all that is in it. Nothing to do is success. */
  remove(name: string): void {
    const place = join(this.folder, name);
    while (isMounted(place)) {
      this.#run(this.tools.umount, [join(place, mountPoint)]);
    }
    rmSync(place, { recursive: true, force: true });
  }

  #run(tool: string, line: readonly string[]): void {
    const { status, stderr, error } = spawnSync(tool, [...line], { encoding: "utf8", timeout: 30_000 });
    if (status !== 0) {
      throw new Error(`${tool} ${line.join(" ")}: ${(error?.message ?? stderr).trim()}`);
    }
  }
}

function isMounted(place: string): boolean {
  const at = join(place, mountPoint);
  return existsSync(at) && statSync(at).dev !== statSync(place).dev;
}
