import { spawnSync } from "node:child_process";
import {
  chownSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  renameSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { findTool, type SandboxTools } from "./tools";

/** A volume as one run of an instance mounts it. */
export interface MountedVolume {
  /** File system image to be mounted at `at` first, in the run's own mount namespace. Absent: nothing to do. */
  readonly image?: string;
  readonly at: string;
  /** Folder that the workload sees. */
  readonly source: string;
}

const imageName = "volume.ext4";
// The file system's own root has a lost+found, which some databases refuse to start beside.
const dataFolder = "data";
/** What an agent that died on the way leaves in a volume's folder begins so. */
const unfinished = ".new-";
/** Less than this holds no file system. */
const smallestImage = 1n << 20n;

/** Path of mkfs.ext4 where volumes can be file system images, which makes their size a hard limit; else undefined. */
export function findVolumeMaker(tools: SandboxTools, rooted: boolean): string | undefined {
  const maker = findTool("mkfs.ext4");
  if (!rooted || maker === undefined) {
    return undefined;
  }
  const folder = mkdtempSync(join(tmpdir(), "dcx-volume-"));
  try {
    makeImage(maker, folder, smallestImage, { uid: 0, gid: 0 });
    const { status } = spawnSync(
      tools.unshare,
      ["--mount", tools.sh, "-c", '"$1" -o loop "$2" "$3"', "sh", tools.mount, join(folder, imageName), folder],
      { stdio: "ignore", timeout: 10_000 },
    );
    return status === 0 ? maker : undefined;
  } catch {
    return undefined;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/**
 * Makes a volume what it has to be for an instance whose user has these ids outside. `folder` is the volume's own, `at` a
 * place of the instance's to mount it on. Without `maker` it is a plain folder, without a bound; so is one that was made
 * like that before.
 */
export function prepareVolume(
  maker: string | undefined,
  folder: string,
  at: string,
  size: bigint,
  owner: { readonly uid: number; readonly gid: number } | undefined,
): MountedVolume {
  const image = join(folder, imageName);
  if (!existsSync(image)) {
    if (maker === undefined || readdirSync(folder).some((name) => !name.startsWith(unfinished))) {
      return { at: folder, source: folder };
    }
    makeImage(maker, folder, size < smallestImage ? smallestImage : size, owner ?? { uid: 0, gid: 0 });
  }
  mkdirSync(at, { recursive: true, mode: 0o700 });
  return { image, at, source: join(at, dataFolder) };
}

/** The file takes no more of the disk than what is written to it. */
function makeImage(maker: string, folder: string, size: bigint, owner: { uid: number; gid: number }): void {
  const temporary = mkdtempSync(join(folder, unfinished));
  try {
    const content = join(temporary, "content");
    const image = join(temporary, imageName);
    mkdirSync(join(content, dataFolder), { recursive: true, mode: 0o755 });
    chownSync(join(content, dataFolder), owner.uid, owner.gid);
    writeFileSync(image, "", { mode: 0o600 });
    truncateSync(image, Number(size));
    const { status, stderr, error } = spawnSync(maker, ["-q", "-F", "-m", "0", "-d", content, image], {
      encoding: "utf8",
      timeout: 60_000,
    });
    if (status !== 0) {
      throw new Error(`a volume of ${size} bytes can't be made: ${(error?.message ?? stderr).trim()}`);
    }
    renameSync(image, join(folder, imageName));
  } finally {
    rmSync(temporary, { recursive: true, force: true });
  }
}
