import type { SandboxTools } from "./tools";

/** One thing to be seen inside, besides the image's own files. */
export interface SandboxMount {
  readonly kind: "file" | "writable";
  /** On the host. */
  readonly source: string;
  /** Place below the image's root, links resolved. */
  readonly target: string;
}

export interface SandboxScript {
  readonly tools: SandboxTools;
  /** Folder that `buildStage` made. */
  readonly stage: string;
  readonly rootfs: string;
  readonly mounts: readonly SandboxMount[];
  /** Memory that all temporary folders share. `size` in bytes; `folders` are below `at`. */
  readonly scratch: { readonly at: string; readonly folders: readonly string[]; readonly size: bigint };
  /** File system images to be mounted first. They, as the scratch, are gone with the run. */
  readonly images: readonly { readonly image: string; readonly at: string }[];
  readonly hostname: string;
  /** `cgroup.procs` of each group to enter. */
  readonly controlGroups: readonly string[];
  /** Set when the script runs as the host's root: it then gives that up for the instance's own user namespace. */
  readonly rooted: boolean;
  readonly process: SandboxProcess;
}

/** As whom and where the workload, and a health check's command in it, runs. */
export interface SandboxProcess {
  /** Ids inside. Absent: the only ones there are. */
  readonly user?: { readonly uid: number; readonly gid: number };
  readonly workingDirectory: string;
}

// What many images need of "root", all of it inside the instance's user namespace only; sys_chroot is what the last
// step needs itself.
const kept = [
  "chown",
  "dac_override",
  "fowner",
  "fsetid",
  "kill",
  "setgid",
  "setuid",
  "net_bind_service",
  "sys_chroot",
];

/**
 * Shell script that turns namespaces of its own (mounts, processes) into the sandbox and becomes the workload, whose
 * command line is its arguments, after the pid of the process that holds the instance's namespaces.
 *
 * The image is mounted read-only with nothing of the host beside it; the host's files are gone before anything of the
 * tenant's (the environment included) is looked at.
 */
export function sandboxScript(script: SandboxScript): string {
  const { tools, stage } = script;
  const at = (path: string) => quote(`${stage}${path}`);
  const mount = quote(tools.mount);
  const lines = [
    "set -eu",
    "holder=$1",
    "shift",
    ...sourceLines(script),
    `${mount} --bind ${at("")} ${at("")}`,
    // Its own flags stay as they are on the host's file system: without privileges they can't be changed.
    `${mount} --bind ${quote(script.rootfs)} ${at("/image")}`,
    `${mount} -o remount,bind,ro,nosuid,nodev ${at("/image")}`,
    `${mount} -t proc -o nosuid,nodev,noexec proc ${at("/proc")}`,
    `${mount} -t proc -o nosuid,nodev,noexec proc ${at("/image/proc")}`,
    `${mount} -t tmpfs -o mode=755,nosuid,size=64k,nr_inodes=64 dev ${at("/image/dev")}`,
    `for device in null zero full random urandom tty; do`,
    `  : > ${at("/image/dev")}/$device`,
    `  ${mount} --bind /dev/$device ${at("/image/dev")}/$device`,
    "done",
    ...Object.entries({ fd: "", stdin: "/0", stdout: "/1", stderr: "/2" }).map(
      ([name, rest]) => `${quote(tools.ln)} -s /proc/self/fd${rest} ${at(`/image/dev/${name}`)}`,
    ),
    `${quote(tools.mkdir)} -m 1777 ${at("/image/dev/shm")}`,
    `${mount} -t tmpfs -o mode=1777,nosuid,nodev,size=64m,nr_inodes=1024 shm ${at("/image/dev/shm")}`,
    ...script.mounts.flatMap((wanted) => mountLines(mount, stage, wanted)),
    `${mount} --bind ${quote(environmentIn(script))} ${at("/environment")}`,
    // Without root the kernel does not allow it everywhere; nothing depends on it.
    `{ echo ${quote(script.hostname)} > /proc/sys/kernel/hostname; } 2>/dev/null || :`,
    ...(script.rooted ? [`${mount} --bind "/proc/$holder/ns/user" ${at("/userns")}`] : []),
    ...script.controlGroups.map((file) => `echo 0 > ${quote(file)}`),
    `cd ${at("")}`,
    `${quote(tools.pivot_root)} . old`,
    "cd /",
    "/bin/umount -l /old",
    `exec ${[
      ...(script.rooted ? ["/bin/nsenter", "--user=/userns", "-S", "0", "-G", "0"] : []),
      ...becomeWorkload(script.process),
    ]
      .map(quote)
      .join(" ")} "$@"`,
  ];
  return `${lines.join("\n")}\n`;
}

/** Command line, in the stage, that gives up all rights and becomes what follows it. */
export function becomeWorkload({ user, workingDirectory }: SandboxProcess): string[] {
  const ids = user === undefined ? [] : ["-S", String(user.uid), "-G", String(user.gid)];
  const inside = ["/bin/unshare", "--root=/image", `--wd=${workingDirectory}`, ...ids, "--"];
  return [
    "/bin/setpriv",
    "--no-new-privs",
    "--inh-caps=-all",
    `--bounding-set=-all,${kept.map((capability) => `+${capability}`).join(",")}`,
    "/bin/sh",
    "-c",
    // Only here does the tenant's environment come in: it could name libraries to load.
    // Nor may it have the handle of its user namespace that it was let in by.
    `. /environment; exec ${inside.map(quote).join(" ")} "$@" 9<&-`,
    "sh",
  ];
}

/** Lines that mount what the sandbox's own mounts come from, where nobody but this run sees it. */
export function sourceLines(script: SandboxScript): string[] {
  const { tools, scratch, images } = script;
  const mount = quote(tools.mount);
  return [
    `${mount} --make-rprivate /`,
    `${mount} -t tmpfs -o mode=755,nosuid,nodev,size=${scratch.size},nr_inodes=65536 scratch ${quote(scratch.at)}`,
    `${quote(tools.mkdir)} -m 1777 ${scratch.folders.map(quote).join(" ")}`,
    // The environment comes by descriptor 3 and lies in memory alone.
    `(umask 022 && exec ${quote(tools.cat)} <&3 > ${quote(environmentIn(script))})`,
    "exec 3<&-",
    ...images.map(({ image, at }) => `${mount} -o loop,nosuid,nodev ${quote(image)} ${quote(at)}`),
  ];
}

function mountLines(mount: string, stage: string, { kind, source, target }: SandboxMount): string[] {
  const place = quote(`${stage}/image${target}`);
  const flags = kind === "file" ? "ro,nosuid,nodev" : "nosuid,nodev";
  return [`${mount} --bind ${quote(source)} ${place}`, `${mount} -o remount,bind,${flags} ${place}`];
}

/** Where the run keeps the lines that set its environment: beside the folders that are seen inside, not in them. */
export function environmentIn({ scratch }: Pick<SandboxScript, "scratch">): string {
  return `${scratch.at}/environment`;
}

/** Lines that set the environment. Names that a shell can't hold are left out: the manifest's schema has none. */
export function environmentFile(environment: Readonly<Record<string, string>>): string {
  return Object.entries(environment)
    .filter(([name]) => /^[A-Za-z_][A-Za-z0-9_]*$/.test(name))
    .map(([name, value]) => `export ${name}=${quote(value)}\n`)
    .join("");
}

/** A word of a shell's command line that means just this text. */
export function quote(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}
