import { spawnSync } from "node:child_process";
import { becomeWorkload, environmentIn, quote, type SandboxMount, type SandboxScript, sourceLines } from "./script";

/** Processes between bubblewrap and the workload: one, which takes in orphans and passes the exit code on. */
export const bubblewrapDepth = 2;

// Network and, where the agent is root, user namespace are the instance's: they outlive a run.
const namespaces = ["--unshare-ipc", "--unshare-pid", "--unshare-uts", "--unshare-cgroup-try"];
const userNamespace = "/proc/self/fd/9";
const filterDescriptor = "8";

/** Bubblewrap as this machine has it. */
export interface Bubblewrap {
  readonly program: string;
  /** File with the seccomp filter that workloads run under. Absent: there is none for this machine. */
  readonly filter?: string;
}

/**
 * Shell script that starts the sandbox with bubblewrap: the same view of files, rights and namespaces as
 * `sandboxScript` makes step by step, and the same arguments. Its workload is not process 1 of its namespace, so
 * signals do what they do elsewhere, and orphans are waited for.
 */
export function bubblewrapScript(script: SandboxScript, { program: bubblewrap, filter }: Bubblewrap): string {
  const view = [
    ...["--ro-bind", script.stage, "/"],
    ...["--ro-bind", script.rootfs, "/image"],
    ...["--proc", "/proc", "--proc", "/image/proc"],
    ...["--dev", "/image/dev", "--size", String(64 << 20), "--perms", "1777", "--tmpfs", "/image/dev/shm"],
    ...["--remount-ro", "/image/dev"],
    ...script.mounts.flatMap(mountArguments),
    ...["--ro-bind", environmentIn(script), "/environment"],
  ];
  const command = [
    bubblewrap,
    ...namespaces,
    ...["--hostname", script.hostname, "--die-with-parent", "--new-session"],
    ...(filter === undefined ? [] : ["--seccomp", filterDescriptor]),
    ...view,
    "--",
    ...(script.rooted ? ["/bin/nsenter", `--user=${userNamespace}`, "-S", "0", "-G", "0"] : []),
    ...becomeWorkload(script.process),
  ];
  const lines = [
    "set -eu",
    ...(script.rooted ? ['exec 9< "/proc/$1/ns/user"'] : []),
    "shift",
    ...sourceLines(script),
    ...script.controlGroups.map((file) => `echo 0 > ${quote(file)}`),
    ...(filter === undefined ? [] : [openFilter(filter)]),
    `exec ${command.map(quote).join(" ")} "$@"`,
  ];
  return `${lines.join("\n")}\n`;
}

/** Command line that does nothing but put what follows it under the filter, after a shell's `openFilter`. */
export function underFilter({ program }: Bubblewrap): string[] {
  return [program, "--dev-bind", "/", "/", "--die-with-parent", "--seccomp", filterDescriptor, "--"];
}

/** Line of a shell that opens the filter for bubblewrap, which closes it. */
export function openFilter(filter: string): string {
  return `exec ${filterDescriptor}< ${quote(filter)}`;
}

function mountArguments({ kind, source, target }: SandboxMount): string[] {
  return [kind === "file" ? "--ro-bind" : "--bind", source, `/image${target}`];
}

/** Throws with what bubblewrap says when it can't do here what a sandbox needs. `within` enters a user namespace. */
export function probeBubblewrap({ program, filter }: Bubblewrap, shell: string, within: readonly string[]): void {
  const filtered = filter === undefined ? [] : [shell, "-c", `${openFilter(filter)}; exec "$@"`, "sh"];
  const [file = "", ...rest] = [
    ...within,
    ...filtered,
    program,
    ...(filter === undefined ? [] : ["--seccomp", filterDescriptor]),
    ...namespaces,
    ...["--ro-bind", "/", "/", "--proc", "/proc", "--dev", "/dev", "--size", "65536", "--perms", "1777"],
    ...["--tmpfs", "/tmp", "--hostname", "probe", "--", shell, "-c", ":"],
  ];
  const { status, stderr, error } = spawnSync(file, rest, { encoding: "utf8", timeout: 10_000 });
  if (status !== 0) {
    throw new Error(`bubblewrap does not work here: ${(error?.message ?? stderr).trim()}`);
  }
}
