import { readdirSync, readFileSync } from "node:fs";
import { z } from "zod";

/** A process that is really the one that was meant: pids are used again. */
export const ProcessMark = z.object({ pid: z.number().int().positive(), startTime: z.string() });
export type ProcessMark = z.infer<typeof ProcessMark>;

/** Opaque text that no other process with this pid has, or undefined when there is none (Linux only). */
export function startTimeOf(pid: number): string | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    // A zombie runs no more.
    if (fields[0] === "Z" || fields[0] === "X") {
      return undefined;
    }
    return `${fields[19] ?? ""}@${readFileSync("/proc/sys/kernel/random/boot_id", "utf8").trim()}`;
  } catch {
    return undefined;
  }
}

/** Whether it still runs. Without /proc the pid has to do. */
export function isRunning(mark: ProcessMark | undefined): boolean {
  if (mark === undefined) {
    return false;
  }
  if (mark.startTime === "") {
    return canSignal(mark.pid);
  }
  return startTimeOf(mark.pid) === mark.startTime;
}

/** All processes that descend from one, as far as their parents still live (Linux only; elsewhere none). */
export function descendantsOf(pid: number): readonly ProcessMark[] {
  return childrenOf(pid).flatMap((child) => {
    const startTime = startTimeOf(child);
    return startTime === undefined ? [] : [{ pid: child, startTime }, ...descendantsOf(child)];
  });
}

function childrenOf(pid: number): readonly number[] {
  try {
    return readdirSync(`/proc/${pid}/task`).flatMap((thread) => {
      const children = readFileSync(`/proc/${pid}/task/${thread}/children`, "utf8").match(/\d+/g);
      return (children ?? []).map(Number);
    });
  } catch {
    // It has ended meanwhile.
    return [];
  }
}

/** Sends a signal if the process is still the one that was meant. */
export function signalProcess(mark: ProcessMark | undefined, signal: NodeJS.Signals): void {
  if (mark !== undefined && isRunning(mark)) {
    try {
      process.kill(mark.pid, signal);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "ESRCH") {
        throw error;
      }
    }
  }
}

function canSignal(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}
