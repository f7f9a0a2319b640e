import { spawn } from "node:child_process";
import { descendantsOf, isRunning, type ProcessMark, signalProcess } from "../processes";
import { readState, type Secrets } from "./instance-files";

const startPatience = 20_000;

/** Starts an instance's supervisor, detached, and waits for its first sign of life. */
export async function startSupervisor(command: readonly string[], folder: string, secrets: Secrets): Promise<void> {
  const [file = "", ...rest] = command;
  const before = await readState(folder);
  const child = spawn(file, [...rest, folder], { detached: true, stdio: ["pipe", "ignore", "ignore"], cwd: "/" });
  let failure: Error | undefined;
  child.once("error", (error) => {
    failure = error;
  });
  child.once("exit", (code) => {
    failure ??= new Error(`its supervisor ended with ${code}`);
  });
  // It may have ended before it has read them.
  child.stdin.on("error", () => undefined);
  child.stdin.end(JSON.stringify(secrets));
  child.unref();
  const deadline = Date.now() + startPatience;
  for (;;) {
    const state = await readState(folder);
    if (state?.supervisor !== undefined && state.supervisor.startTime !== before?.supervisor?.startTime) {
      return;
    }
    if (failure !== undefined) {
      throw failure;
    }
    if (Date.now() > deadline) {
      throw new Error(`its supervisor did not begin within ${startPatience / 1000} s`);
    }
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

/** Milliseconds until a process that can't refuse is gone: it may have to write pages to a slow disk first. */
const killPatience = 20_000;

/**
 * Ends all processes of an instance that its state names, and those that they have begun, whatever state they are in.
 * Resolves once none of them is left: until then they hold ports and mounts.
 * @param grace milliseconds that the supervisor gives the workload
 * @throws where one can't be killed
 */
export async function endSupervised(folder: string, grace: number): Promise<void> {
  const state = await readState(folder);
  const { supervisor } = state ?? {};
  const begun = new Map<string, ProcessMark>();
  const meet = (marks: readonly (ProcessMark | undefined)[]): void => {
    for (const mark of marks) {
      if (mark !== undefined) begun.set(`${mark.pid} ${mark.startTime}`, mark);
    }
  };
  // With it goes the knowledge of what it has begun.
  const look = (): void =>
    meet(supervisor === undefined || !isRunning(supervisor) ? [] : descendantsOf(supervisor.pid));
  look();
  signalProcess(supervisor, "SIGTERM");
  const graceful = Date.now() + grace + 5000;
  while (isRunning(supervisor)) {
    look();
    if (Date.now() > graceful) {
      signalProcess(supervisor, "SIGKILL");
    }
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  const last = await readState(folder);
  const named = [last?.process, state?.process, last?.holder, state?.holder].filter(isRunning);
  meet(named.flatMap((mark) => (mark === undefined ? [] : [mark, ...descendantsOf(mark.pid)])));
  for (const mark of begun.values()) {
    signalProcess(mark, "SIGKILL");
  }
  const deadline = Date.now() + killPatience;
  for (const mark of begun.values()) {
    while (isRunning(mark)) {
      if (Date.now() > deadline) {
        throw new Error(`process ${mark.pid} does not end, though it was killed`);
      }
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
  }
}
