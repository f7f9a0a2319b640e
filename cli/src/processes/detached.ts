import { spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { closeSync, mkdirSync, openSync, readFileSync } from "node:fs";
import { dirname } from "node:path";
import type { ProcessRecord } from "@dcx/protocol";
import { isRunning, startTimeOf } from "./identity";

export interface DetachedOptions {
  /** Arguments of the `dcx` command. */
  readonly arguments: readonly string[];
  /** Of Node.js, beside those that this process has, and in place of theirs. */
  readonly nodeFlags?: readonly string[];
  readonly logFile: string;
  /** What it is, for messages: "the exchange node". */
  readonly title: string;
  /** Milliseconds that it may take until it says that it is ready. */
  readonly timeout: number;
}

export interface Detached<Ready> {
  readonly record: ProcessRecord;
  /** What the process said when it was ready. */
  readonly ready: Ready;
  /** To be called once the process is on record: one that is on none ends with the process that started it. */
  readonly release: () => void;
}

/**
 * Starts `dcx <arguments>` as a process of its own that outlives this one, and waits until it says that it is ready
 * (`announceReady`). Rejects with the end of its log when it exits before that.
 */
export async function startDetached<Ready>(
  options: DetachedOptions,
  parse: (message: unknown) => Ready,
): Promise<Detached<Ready>> {
  mkdirSync(dirname(options.logFile), { recursive: true, mode: 0o700 });
  const nonce = randomBytes(16).toString("hex");
  const entry = process.argv[1];
  if (entry === undefined) {
    throw new Error("This process does not know its own script, so it can't start another of its kind.");
  }
  const log = openSync(options.logFile, "a", 0o600);
  // The last of two counts.
  const flags = [...process.execArgv, ...(options.nodeFlags ?? [])];
  const child = spawn(process.execPath, [...flags, entry, ...options.arguments], {
    detached: true,
    stdio: ["ignore", log, log, "ipc"],
    cwd: dirname(options.logFile),
    env: { ...process.env, DCX_PROCESS_NONCE: nonce },
  });
  closeSync(log);
  try {
    const message = await new Promise<unknown>((resolve, reject) => {
      const timer = setTimeout(
        () => reject(new Error(`${options.title} did not become ready within ${options.timeout / 1000} s`)),
        options.timeout,
      );
      child.once("message", (value) => {
        clearTimeout(timer);
        resolve(value);
      });
      child.once("error", reject);
      child.once("exit", (code, signal) => {
        clearTimeout(timer);
        reject(
          new Error(`${options.title} ended ${signal ? `by ${signal}` : `with exit code ${code}`} while starting`),
        );
      });
    });
    const pid = child.pid;
    const startTime = pid === undefined ? undefined : startTimeOf(pid);
    if (pid === undefined || startTime === undefined) {
      throw new Error(`${options.title} ended just after it was ready`);
    }
    const ready = parse(message);
    return {
      record: { pid, startTime, nonce },
      ready,
      release: () => child.send(released, () => child.connected && child.disconnect()),
    };
  } catch (error) {
    child.kill("SIGKILL");
    throw new Error(`${(error as Error).message}. The end of ${options.logFile}:\n${tail(options.logFile, 12)}`);
  } finally {
    child.removeAllListeners();
    child.channel?.unref();
    child.unref();
  }
}

const released = "released";

/**
 * To be called first by a process that `startDetached` may have started: asks this process to end (SIGTERM) where the
 * command that started it goes away before it has put it on record, for nobody would ever find it.
 */
export function endWithoutRecord(): void {
  if (process.env["DCX_PROCESS_NONCE"] === undefined) {
    return;
  }
  const abandoned = (): void => {
    process.kill(process.pid, "SIGTERM");
  };
  if (process.send === undefined || !process.connected) {
    abandoned();
    return;
  }
  process.once("disconnect", abandoned);
  process.once("message", (said) => {
    if (said === released) {
      process.removeListener("disconnect", abandoned);
      process.disconnect();
    }
  });
}

/** Tells the command that started this process that it is ready. Does nothing where nobody waits for that. */
export function announceReady(message: Readonly<Record<string, unknown>>): void {
  if (process.send !== undefined && process.connected) {
    process.send(message);
  }
}

/**
 * Asks a recorded process to end, and after `grace` milliseconds makes it. Resolves when it is gone. A process that
 * merely got the same pid is left alone.
 */
export async function endProcess(record: ProcessRecord, grace: number): Promise<void> {
  if (!isRunning(record)) {
    return;
  }
  process.kill(record.pid, "SIGTERM");
  const deadline = Date.now() + grace;
  // The process is nobody's child here, so there is no event to wait for: its entry in the process table is the condition.
  while (isRunning(record)) {
    if (Date.now() > deadline) {
      process.kill(record.pid, "SIGKILL");
    }
    await new Promise((resolve) => setTimeout(resolve, 25));
  }
}

function tail(file: string, lines: number): string {
  return readFileSync(file, "utf8").trimEnd().split("\n").slice(-lines).join("\n");
}
