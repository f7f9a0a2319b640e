import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import type { ProcessRecord } from "@dcx/protocol";

/**
 * When a process started, as opaque text, or undefined when there is none with this pid (a zombie counts as none).
 * With the pid it names one process for good.
 */
export function startTimeOf(pid: number): string | undefined {
  return process.platform === "linux" ? startTimeOnLinux(pid) : startTimeByPs(pid);
}

/** Whether the very process that was recorded still runs. A pid that was given to another process is not it. */
export function isRunning(record: ProcessRecord): boolean {
  if (startTimeOf(record.pid) !== record.startTime) {
    return false;
  }
  if (process.platform !== "linux") {
    return true;
  }
  try {
    const environment = readFileSync(`/proc/${record.pid}/environ`, "latin1").split("\0");
    return environment.includes(`DCX_PROCESS_NONCE=${record.nonce}`);
  } catch {
    // Another user's process, or gone between the two reads: not ours either way.
    return false;
  }
}

function startTimeOnLinux(pid: number): string | undefined {
  let stat: string;
  try {
    stat = readFileSync(`/proc/${pid}/stat`, "latin1");
  } catch {
    return undefined;
  }
  // The second field is the command in parentheses, which may hold spaces and parentheses itself.
  const [state, ...rest] = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return state === "Z" || state === "X" ? undefined : rest[18];
}

function startTimeByPs(pid: number): string | undefined {
  try {
    const text = execFileSync("ps", ["-o", "lstart=", "-p", String(pid)], { encoding: "utf8" }).trim();
    return text === "" ? undefined : text;
  } catch {
    return undefined;
  }
}
