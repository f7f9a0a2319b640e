import type { LogLine } from "@dcx/protocol";
import type { LogOptions, ObservedInstance, Runtime } from "../runtime/runtime";

/** Lines that are kept for a reader who is slow, before the instances' own logs are made to wait. */
const buffered = 1_000;

export interface WorkloadLogs {
  readonly runtime: Pick<Runtime, "logs">;
  /** The instances to show, as of now. */
  readonly instances: () => readonly ObservedInstance[];
  /** Called when `instances` may answer something else. Returns how to stop being called. */
  readonly subscribe: (listener: () => void) => () => void;
}

/**
 * The log lines of all instances as they come. With `follow` also those of instances that start later; it ends when
 * the signal aborts.
 */
export async function* readWorkloadLogs(
  { runtime, instances, subscribe }: WorkloadLogs,
  options: LogOptions,
  signal: AbortSignal,
): AsyncIterable<LogLine> {
  const lines: LogLine[] = [];
  const followed = new Set<string>();
  let reading = 0;
  let wake = (): void => {};
  /** Those that wait for room: each instance's log does for itself. */
  const waiting: (() => void)[] = [];
  const drained = (): void => {
    for (const resume of waiting.splice(0)) resume();
  };
  const room = async (): Promise<void> => {
    if (lines.length >= buffered && !signal.aborted) await new Promise<void>((resolve) => waiting.push(resolve));
  };
  const read = async ({ id, labels }: ObservedInstance): Promise<void> => {
    for await (const line of runtime.logs(id, options, signal)) {
      lines.push({ workload: labels.workload, instance: labels.index, ...line });
      wake();
      await room();
    }
  };
  const add = (): void => {
    for (const instance of instances()) {
      if (followed.has(instance.id)) continue;
      followed.add(instance.id);
      reading += 1;
      // An instance that goes away takes its log with it; the others' go on.
      void read(instance)
        .catch(() => {})
        .finally(() => {
          reading -= 1;
          wake();
        });
    }
  };
  const unsubscribe = options.follow ? subscribe(add) : (): void => {};
  const abort = (): void => {
    wake();
    drained();
  };
  signal.addEventListener("abort", abort, { once: true });
  try {
    add();
    while (!signal.aborted) {
      const line = lines.shift();
      if (line !== undefined) {
        if (lines.length < buffered / 2) drained();
        yield line;
      } else if (reading === 0 && !options.follow) return;
      else await new Promise<void>((resolve) => (wake = resolve));
    }
  } finally {
    unsubscribe();
    signal.removeEventListener("abort", abort);
    drained();
  }
}
