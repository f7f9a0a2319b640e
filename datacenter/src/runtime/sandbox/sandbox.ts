import { spawnSync } from "node:child_process";
import { chownSync, existsSync, lstatSync, mkdirSync, writeFileSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { z } from "zod";
import { resolveInRoot } from "../../images/root";
import type { UnpackedImage } from "../../images/store";
import { commandLine, environmentOf, userOf } from "../command-line";
import { NamespaceNetwork } from "../namespace-network";
import { isRunning } from "../processes";
import type { InstanceSpecification, Limit } from "../runtime";
import { fileName } from "../supervised/instance-files";
import type { MethodLaunch, SupervisedMethod } from "../supervised/supervised-runtime";
import { type Bubblewrap, bubblewrapDepth, bubblewrapScript, probeBubblewrap } from "./bubblewrap";
import { probeControlGroups, removeControlGroups } from "./control-groups";
import { inside, type Kept } from "./inside-sandbox";
import { environmentFile, type SandboxMount, type SandboxProcess, type SandboxScript, sandboxScript } from "./script";
import { seccompFilter } from "./seccomp";
import { buildStage, findSandboxTools, findTool, loopbackCommand, type SandboxTools } from "./tools";
import { findVolumeMaker, prepareVolume } from "./volumes";

/** Ids inside a sandbox are these further on outside, when the agent is root: far from any account's. */
export const sandboxOwnerOffset = 1_900_000_000;
const idCount = 65_536;
const pageSize = 4096n;

/** What makes the sandbox. */
export type SandboxMaker = "bubblewrap" | "unshare";

export interface SandboxOptions {
  /** Folder of its own. */
  readonly home: string;
  /** Command line of the network helper. */
  readonly networkHelper: readonly string[];
  /** Absent: bubblewrap where it works, else util-linux's `unshare`. */
  readonly maker?: SandboxMaker;
}

/** Names the namespaces that every run gets anew; user and network outlive a run. */
const runNamespaces = ["--mount", "--pid", "--ipc", "--uts", "--cgroup", "--fork", "--kill-child"];
const temporaryFolders = ["/tmp", "/run", "/var/tmp"];

/**
 * Linux namespaces made with bubblewrap or util-linux: a user namespace without rights outside, a network with nothing but
 * loopback, the image read-only as the only files there are. Throws saying why when this machine can't.
 */
export function sandboxMethod(options: SandboxOptions): SupervisedMethod {
  const tools = findSandboxTools();
  const loopback = loopbackCommand();
  const rooted = process.getuid?.() === 0;
  probeNamespaces(tools, rooted);
  const bubblewrap = findBubblewrap(options, tools, rooted);
  const groups = rooted ? probeControlGroups() : { enforced: [], plan: () => [] };
  const prlimit = findTool("prlimit");
  const volumeMaker = findVolumeMaker(tools, rooted);
  const enforced: readonly Limit[] = [
    ...groups.enforced,
    ...(prlimit === undefined ? [] : (["processes"] as const)),
    ...(volumeMaker === undefined ? [] : (["disk"] as const)),
  ];
  const stage = join(options.home, "stage");
  buildStage(stage, tools);

  const enter = (holder: number | string) =>
    rooted
      ? [tools.nsenter, `--net=/proc/${holder}/ns/net`]
      : [tools.nsenter, `--user=/proc/${holder}/ns/user`, `--net=/proc/${holder}/ns/net`, "--preserve-credentials"];

  const plan = async (
    specification: InstanceSpecification,
    image: UnpackedImage,
    folder: string,
    volumes: string,
  ): Promise<MethodLaunch> => {
    const { limits } = specification;
    const user = rooted ? userOf(image) : undefined;
    const controlGroups = groups.plan(controlGroupName(options.home, specification.id), limits);
    const act: SandboxProcess = {
      workingDirectory: image.workingDirectory,
      ...(user === undefined ? {} : { user }),
    };
    const hostname = `${specification.labels.workload}-${specification.labels.index}`.slice(0, 63);
    const input = environmentFile({ HOSTNAME: hostname, ...environmentOf(specification, image) });
    const mounted = mountsOf(specification, image.rootfs, folder, volumes, hostname, user, volumeMaker);
    // What the environment takes is not the tenant's to fill.
    const size = mounted.scratch.size + BigInt(Buffer.byteLength(input)) + pageSize;
    const script = {
      tools,
      stage,
      rootfs: image.rootfs,
      rooted,
      hostname,
      ...mounted,
      scratch: { ...mounted.scratch, size },
      controlGroups: controlGroups.map((group) => join(group.folder, "cgroup.procs")),
      process: act,
    };
    const setup = join(folder, "setup.sh");
    await writeFile(setup, bubblewrap === undefined ? sandboxScript(script) : bubblewrapScript(script, bubblewrap), {
      mode: 0o600,
    });
    const depth = bubblewrap === undefined ? 1 : bubblewrapDepth;
    const processes = String(limits.processes);
    const kept: z.input<typeof Kept> = {
      ...act,
      depth,
      controlGroups: script.controlGroups,
      ...(prlimit === undefined ? {} : { processes }),
    };
    await writeFile(join(folder, "process.json"), JSON.stringify(kept), { mode: 0o600 });
    return {
      holder: {
        command: [
          tools.unshare,
          "--user",
          ...(rooted ? [] : ["--map-root-user"]),
          "--net",
          tools.sh,
          "-c",
          `echo held; exec ${tools.cat}`,
        ],
        ...(rooted ? { mapping: { base: sandboxOwnerOffset, count: idCount } } : {}),
        prepare: [[...enter("{holder}"), ...loopback]],
      },
      controlGroups,
      command: [
        ...(prlimit === undefined ? [] : [prlimit, `--nproc=${processes}:${processes}`, "--core=0:0"]),
        ...enter("{holder}"),
        tools.unshare,
        ...(bubblewrap === undefined ? runNamespaces : ["--mount"]),
        tools.sh,
        setup,
        "{holder}",
      ],
      depth,
      arguments: commandLine(specification, image),
      environment: { PATH: "/usr/sbin:/usr/bin:/sbin:/bin" },
      input,
      folder: "/",
    };
  };

  return {
    isolation: "sandbox",
    // Without file system images volumes are folders: only what is written elsewhere has a bound.
    unenforced: (["cpu", "memory", "disk", "processes"] as const).filter((limit) => !enforced.includes(limit)),
    plan,
    inside: (folder, state, command) => inside({ tools, rooted, bubblewrap }, folder, state, command),
    network: (_, state) =>
      new NamespaceNetwork(async () => {
        const { holder, phase } = await state();
        if (holder === undefined || !isRunning(holder)) {
          throw new Error(`the instance has no network (it is ${phase})`);
        }
        return { key: `${holder.pid} ${holder.startTime}`, enter: enter(holder.pid) };
      }, options.networkHelper),
    clear: (found) => removeControlGroups(found),
  };
}

/** Name of the control groups of an instance of the runtime with this home. */
export function controlGroupName(home: string, id: string): string {
  return fileName(`${home} ${id}`);
}

/** Makes the places in the unpacked image that something is mounted on. Returns what goes there, and from where. */
function mountsOf(
  specification: InstanceSpecification,
  rootfs: string,
  folder: string,
  volumes: string,
  hostname: string,
  user: { readonly uid: number; readonly gid: number } | undefined,
  volumeMaker: string | undefined,
): Pick<SandboxScript, "mounts" | "scratch" | "images"> {
  for (const place of ["/dev", "/proc"]) {
    if (mountPoint(rootfs, place, "folder") !== place) {
      throw new Error(`in its image ${place} is a link`);
    }
  }
  const hosts = Object.entries({ localhost: "127.0.0.1", [hostname]: "127.0.0.1", ...specification.hosts });
  const files = {
    "/etc/hosts": hosts.map(([name, address]) => `${address}\t${name}\n`).join(""),
    "/etc/resolv.conf": "# there is no name service here\n",
    "/etc/hostname": `${hostname}\n`,
  };
  const mounts: SandboxMount[] = [];
  for (const [path, text] of Object.entries(files)) {
    const source = join(folder, path.slice("/etc/".length));
    writeFileSync(source, text, { mode: 0o644 });
    mounts.push({ kind: "file", source, target: mountPoint(rootfs, path, "file") });
  }
  const scratch = join(folder, "scratch");
  mkdirSync(scratch, { mode: 0o700 });
  const owner =
    user === undefined ? undefined : { uid: user.uid + sandboxOwnerOffset, gid: user.gid + sandboxOwnerOffset };
  const scratchFolders = temporaryFolders.map((path, index) => {
    const source = join(scratch, String(index));
    mounts.push({ kind: "writable", source, target: mountPoint(rootfs, path, "folder") });
    return source;
  });
  const images: { image: string; at: string }[] = [];
  for (const [index, { volume, path, size }] of specification.volumes.entries()) {
    const place = join(volumes, fileName(volume));
    const { image, at, source } = prepareVolume(volumeMaker, place, join(folder, `volume-${index}`), size, owner);
    if (image !== undefined) {
      images.push({ image, at });
    } else if (owner !== undefined && lstatSync(source).uid === 0) {
      chownSync(source, owner.uid, owner.gid);
    }
    mounts.push({ kind: "writable", source, target: mountPoint(rootfs, path, "folder") });
  }
  return { mounts, scratch: { at: scratch, folders: scratchFolders, size: specification.limits.disk }, images };
}

/** The place below `rootfs` that `path` means there; made, empty, if it is missing. */
function mountPoint(rootfs: string, path: string, kind: "file" | "folder"): string {
  const place = resolveInRoot(rootfs, path, "follow");
  if (place === rootfs) {
    throw new Error(`nothing can be mounted at ${path}, the image's root`);
  }
  if (!existsSync(place)) {
    const parent = kind === "folder" ? place : join(place, "..");
    mkdirSync(parent, { recursive: true, mode: 0o755 });
    if (kind === "file") {
      writeFileSync(place, "", { mode: 0o644 });
    }
  } else if (lstatSync(place).isDirectory() !== (kind === "folder")) {
    throw new Error(`in its image ${path} is not a ${kind}`);
  }
  return place.slice(rootfs.length);
}

/** Bubblewrap, where it is to be used. Throws when it has to be and does not work. */
function findBubblewrap({ home, maker }: SandboxOptions, tools: SandboxTools, rooted: boolean): Bubblewrap | undefined {
  if (maker === "unshare") {
    return undefined;
  }
  const program = findTool("bwrap");
  try {
    if (program === undefined) {
      throw new Error("bubblewrap is not installed");
    }
    const filter = seccompFilter(process.arch);
    const file = join(home, "seccomp.bpf");
    if (filter !== undefined) {
      mkdirSync(home, { recursive: true, mode: 0o700 });
      writeFileSync(file, filter, { mode: 0o600 });
    }
    const bubblewrap: Bubblewrap = { program, ...(filter === undefined ? {} : { filter: file }) };
    probeBubblewrap(bubblewrap, tools.sh, rooted ? [] : [tools.unshare, "--user", "--map-root-user"]);
    return bubblewrap;
  } catch (error) {
    if (maker === "bubblewrap") {
      throw error;
    }
    return undefined;
  }
}

/** Throws with what the system says when it does not let us make namespaces. */
function probeNamespaces(tools: SandboxTools, rooted: boolean): void {
  const flags = [...(rooted ? [] : ["--user", "--map-root-user"]), "--net", ...runNamespaces];
  const test = `${tools.mount} --make-rprivate / && ${tools.mount} -t proc proc /proc && ${tools.mount} -t tmpfs tmpfs /tmp`;
  const attempts = [
    [...flags, tools.sh, "-c", test],
    ["--user", ...(rooted ? [] : ["--map-root-user"]), "--net", tools.sh, "-c", ":"],
  ];
  for (const attempt of attempts) {
    const { status, stderr, error } = spawnSync(tools.unshare, attempt, { encoding: "utf8", timeout: 10_000 });
    if (status !== 0) {
      throw new Error(`namespaces can't be made here: ${(error?.message ?? stderr).trim()}`);
    }
  }
}
