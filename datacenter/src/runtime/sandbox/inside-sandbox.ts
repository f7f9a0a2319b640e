import { readFileSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";
import { isRunning, type ProcessMark } from "../processes";
import type { InnerCommand } from "../supervised/inside";
import type { State } from "../supervised/instance-files";
import { type Bubblewrap, openFilter, underFilter } from "./bubblewrap";
import { becomeWorkload, quote, type SandboxProcess } from "./script";
import { findTool, type SandboxTools } from "./tools";

/** What is kept of an instance so that commands can be run in it. */
export const Kept = z.object({
  user: z.object({ uid: z.number(), gid: z.number() }).optional(),
  workingDirectory: z.string(),
  depth: z.number(),
  /** `cgroup.procs` of each group that it belongs to. */
  controlGroups: z.array(z.string()).default([]),
  processes: z.string().optional(),
});

interface SandboxMeans {
  readonly tools: SandboxTools;
  readonly rooted: boolean;
  readonly bubblewrap: Bubblewrap | undefined;
}

/** A command line that runs in the sandbox with the workload's rights, environment and limits. */
export async function inside(
  { tools, rooted, bubblewrap }: SandboxMeans,
  folder: string,
  state: State,
  command: readonly string[],
): Promise<InnerCommand> {
  const kept = Kept.parse(JSON.parse(await readFile(join(folder, "process.json"), "utf8")));
  const pid = innerProcess(state.process, kept.depth);
  if (state.phase !== "running" || pid === undefined) {
    throw new Error(`it does not run (it is ${state.phase})`);
  }
  const { user, workingDirectory } = kept;
  const namespaces = ["--mount", "--pid", "--net", "--ipc", "--uts"];
  const credentials = rooted ? ["-S", "0", "-G", "0"] : ["--preserve-credentials"];
  const act: SandboxProcess = { workingDirectory, ...(user === undefined ? {} : { user }) };
  const limits =
    kept.processes === undefined
      ? []
      : [findTool("prlimit") ?? "prlimit", `--nproc=${kept.processes}:${kept.processes}`, "--core=0:0"];
  const filter = bubblewrap?.filter;
  const filtered = bubblewrap === undefined || filter === undefined ? [] : underFilter(bubblewrap);
  const before = [
    ...kept.controlGroups.map((file) => `echo 0 > ${quote(file)}`),
    ...(filter === undefined ? [] : [openFilter(filter)]),
    'exec "$@"',
  ];
  const line = [
    // The groups are joined before anything of the tenant's runs.
    ...[tools.sh, "-c", before.join(" && "), "sh"],
    ...limits,
    // Without root it is the user namespace that gives the right to make a sandbox's parts, and to enter them.
    ...(rooted
      ? [...filtered, tools.nsenter, "--user"]
      : [tools.nsenter, "--user", ...credentials, "--target", String(pid), ...filtered, tools.nsenter]),
    ...[...namespaces, ...credentials, "--target", String(pid)],
    ...becomeWorkload(act),
    ...command,
  ];
  return { line, environment: {}, folder: "/" };
}

/** The workload, so many generations below the process that the supervisor has started. */
function innerProcess(mark: ProcessMark | undefined, depth: number): number | undefined {
  if (mark === undefined || !isRunning(mark)) {
    return undefined;
  }
  let pid: number | undefined = mark.pid;
  for (let generation = 0; generation < depth && pid !== undefined; generation++) {
    pid = childrenOf(pid)[0];
  }
  return pid;
}

function childrenOf(pid: number): number[] {
  return readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8").trim().split(" ").filter(Boolean).map(Number);
}
