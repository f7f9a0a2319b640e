import { spawn } from "node:child_process";
import { isRunning, signalProcess } from "../processes";
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

/**
 * Ends all processes of an instance that its state names, whatever state they are in.
 * @param grace milliseconds that the supervisor gives the workload
 */
export async function endSupervised(folder: string, grace: number): Promise<void> {
  const state = await readState(folder);
  signalProcess(state?.supervisor, "SIGTERM");
  const graceful = Date.now() + grace + 5000;
  while (isRunning(state?.supervisor)) {
    if (Date.now() > graceful) {
      signalProcess(state?.supervisor, "SIGKILL");
    }
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  const last = await readState(folder);
  for (const mark of [last?.process, state?.process, last?.holder, state?.holder]) {
    signalProcess(mark, "SIGKILL");
  }
}
