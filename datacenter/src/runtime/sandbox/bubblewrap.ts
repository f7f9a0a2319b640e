import { spawnSync } from "node:child_process";
import { becomeWorkload, environmentIn, quote, type SandboxMount, type SandboxScript, sourceLines } from "./script";

/** Processes between bubblewrap and the workload: one, which takes in orphans and passes the exit code on. */
export const bubblewrapDepth = 2;

// Network and, where the agent is root, user namespace are the instance's: they outlive a run.
const namespaces = ["--unshare-ipc", "--unshare-pid", "--unshare-uts", "--unshare-cgroup-try"];
const userNamespace = "/proc/self/fd/9";

/**
 * Shell script that starts the sandbox with bubblewrap: the same view of files, rights and namespaces as
 * `sandboxScript` makes step by step, and the same arguments. Its workload is not process 1 of its namespace, so
 * signals do what they do elsewhere, and orphans are waited for.
 */
export function bubblewrapScript(script: SandboxScript, bubblewrap: string): string {
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
    `exec ${command.map(quote).join(" ")} "$@"`,
  ];
  return `${lines.join("\n")}\n`;
}

function mountArguments({ kind, source, target }: SandboxMount): string[] {
  return [kind === "file" ? "--ro-bind" : "--bind", source, `/image${target}`];
}

/** Throws with what bubblewrap says when it can't do here what a sandbox needs. `within` enters a user namespace. */
export function probeBubblewrap(bubblewrap: string, shell: string, within: readonly string[]): void {
  const [file = "", ...rest] = [
    ...within,
    bubblewrap,
    ...namespaces,
    ...["--ro-bind", "/", "/", "--proc", "/proc", "--dev", "/dev", "--size", "65536", "--perms", "1777"],
    ...["--tmpfs", "/tmp", "--hostname", "probe", "--", shell, "-c", ":"],
  ];
  const { status, stderr, error } = spawnSync(file, rest, { encoding: "utf8", timeout: 10_000 });
  if (status !== 0) {
    throw new Error(`bubblewrap does not work here: ${(error?.message ?? stderr).trim()}`);
  }
}
