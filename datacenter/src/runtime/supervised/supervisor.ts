/**
 * A program of its own: keeps one instance running, also while the agent is away. It is started with the instance's
 * folder as its argument and the secret part of what it is to do as its input, reads the rest in `launch.json` there, and keeps `state.json` and the log up to date; SIGTERM makes it
 * stop the instance and end. It imports nothing of ours, so that it runs as a single file (also from its source).
 */
import { type ChildProcess, spawn } from "node:child_process";
import {
  appendFileSync,
  existsSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmdirSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import type { Readable } from "node:stream";

export interface ControlGroup {
  readonly folder: string;
  readonly settings: readonly (readonly [file: string, value: string])[];
}

/** What the runtime wrote. `{holder}` in commands (not in `arguments`) stands for the holder's pid. */
export interface Launch {
  /** Holds the namespaces that outlive a single run. */
  readonly holder?: {
    readonly command: readonly string[];
    /** First id outside that id 0 inside stands for, and how many follow. Absent: the command has mapped itself. */
    readonly mapping?: { readonly base: number; readonly count: number };
    /** Run once it stands. */
    readonly prepare: readonly (readonly string[])[];
  };
  readonly controlGroups: readonly ControlGroup[];
  /**
   * Generations from the command to the workload: 0 where the command is it, 1 where it is process 1 of a namespace,
   * 2 where process 1 waits for it.
   */
  readonly depth: number;
  readonly command: readonly string[];
  /** Appended to `command`: the workload's own words. */
  readonly arguments: readonly string[];
  readonly environment: Readonly<Record<string, string>>;
  /** What the command can read from its descriptor 3. */
  readonly input?: string;
  readonly folder: string;
  /** Milliseconds between the friendly signal and the one that can't be refused. */
  readonly grace: number;
  /** The first delay before a restart, in milliseconds; it doubles up to `maximumDelay`. */
  readonly firstDelay: number;
  readonly maximumDelay: number;
  /** Milliseconds of running after which the delay is the first one again. */
  readonly settled: number;
  /** Bytes that a log file may have; two are kept. */
  readonly logSize: number;
}

interface ProcessMark {
  readonly pid: number;
  readonly startTime: string;
}

const folder = process.argv[2] ?? "";
// What is the tenant's own comes from the agent, and is kept in memory alone.
const launch: Launch = {
  ...JSON.parse(readFileSync(join(folder, "launch.json"), "utf8")),
  ...JSON.parse(readFileSync(0, "utf8")),
};
const logFile = join(folder, "log", "current");
const previousLogFile = join(folder, "log", "previous");

let holder: ChildProcess | undefined;
let run: ChildProcess | undefined;
let stopping = false;
let wake: () => void = () => undefined;
let restarts = previousRestarts();
let lastLine = "";
let logSize = existsSync(logFile) ? statSync(logFile).size : 0;

/** Opaque text that no other process with this pid has: ticks since boot, and which boot. */
function startTimeOf(pid: number): string {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    const ticks = stat.slice(stat.lastIndexOf(")") + 2).split(" ")[19] ?? "";
    return `${ticks}@${readFileSync("/proc/sys/kernel/random/boot_id", "utf8").trim()}`;
  } catch {
    return "";
  }
}

function mark(pid: number | undefined): ProcessMark | undefined {
  return pid === undefined ? undefined : { pid, startTime: startTimeOf(pid) };
}

function previousRestarts(): number {
  try {
    const { restarts: before } = JSON.parse(readFileSync(join(folder, "state.json"), "utf8"));
    return typeof before === "number" ? before + 1 : 0;
  } catch {
    return 0;
  }
}

function writeState(state: object): void {
  const text = JSON.stringify({
    ...state,
    restarts,
    supervisor: mark(process.pid),
    holder: mark(holder?.pid),
  });
  if (existsSync(folder)) {
    writeFileSync(join(folder, ".state.json"), text, { mode: 0o600 });
    renameSync(join(folder, ".state.json"), join(folder, "state.json"));
  }
}

/** Rejects when it can't be started, exits with something else than 0, or takes longer than ten seconds. */
function runToEnd(command: readonly string[]): Promise<void> {
  return new Promise((resolve, reject) => {
    const [file = "", ...rest] = command;
    const child = spawn(file, rest, { stdio: ["ignore", "ignore", "pipe"], timeout: 10_000 });
    let errors = "";
    child.stderr.on("data", (data) => {
      errors = `${errors}${data}`.slice(-1000);
    });
    child.once("error", reject);
    child.once("close", (code) =>
      code === 0 ? resolve() : reject(new Error(`${command.join(" ")} failed: ${errors.trim()}`)),
    );
  });
}

function withHolder(command: readonly string[]): string[] {
  return command.map((part) => part.replaceAll("{holder}", String(holder?.pid ?? "")));
}

async function startHolder(): Promise<void> {
  if (launch.holder === undefined || (holder !== undefined && holder.exitCode === null && holder.signalCode === null)) {
    return;
  }
  const [file = "", ...rest] = launch.holder.command;
  // Its first output is the sign that it has its namespaces. It ends with its input, so it never outlives this process.
  const child = spawn(file, rest, { stdio: ["pipe", "pipe", "inherit"] });
  await new Promise<void>((resolve, reject) => {
    child.once("error", reject);
    child.once("exit", () => reject(new Error(`${file} ended before it had its namespaces`)));
    child.stdout.once("data", () => resolve());
  });
  holder = child;
  child.once("exit", () => run?.kill("SIGKILL"));
  if (launch.holder.mapping !== undefined) {
    const { base, count } = launch.holder.mapping;
    writeFileSync(`/proc/${child.pid}/uid_map`, `0 ${base} ${count}`);
    writeFileSync(`/proc/${child.pid}/gid_map`, `0 ${base} ${count}`);
  }
  for (const command of launch.holder.prepare) {
    await runToEnd(withHolder(command));
  }
}

function makeControlGroups(): void {
  for (const group of launch.controlGroups) {
    mkdirSync(group.folder, { recursive: true });
    for (const [file, value] of group.settings) {
      // A kernel without swap accounting lacks the file for it; every other refusal counts.
      if (existsSync(join(group.folder, file))) {
        writeFileSync(join(group.folder, file), value);
      }
    }
  }
}

/** Processes that are just ending still count, so it may take a moment; what then is left the runtime removes. */
async function removeControlGroups(): Promise<void> {
  for (const group of launch.controlGroups) {
    for (let attempt = 0; attempt < 100 && existsSync(group.folder); attempt++) {
      try {
        rmdirSync(group.folder);
      } catch {
        await new Promise((resolve) => setTimeout(resolve, 20));
      }
    }
  }
}

function memoryKills(): number {
  for (const group of launch.controlGroups) {
    for (const file of ["memory.events", "memory.oom_control"]) {
      try {
        return Number(/oom_kill (\d+)/.exec(readFileSync(join(group.folder, file), "utf8"))?.[1] ?? 0);
      } catch {}
    }
  }
  return 0;
}

function log(stream: "stdout" | "stderr", line: string): void {
  const text = `${JSON.stringify({ time: new Date().toISOString(), stream, line })}\n`;
  try {
    if (logSize + Buffer.byteLength(text) > launch.logSize) {
      renameSync(logFile, previousLogFile);
      logSize = 0;
    }
    appendFileSync(logFile, text, { mode: 0o600 });
    logSize += Buffer.byteLength(text);
  } catch {
    // A full disk must not stop the workload.
  }
  if (line.trim() !== "") {
    lastLine = line.slice(0, 300);
  }
}

/** Splits into lines; one that never ends is cut, so that it can't fill the memory. */
function readLines(stream: Readable, name: "stdout" | "stderr"): Promise<void> {
  const limit = 16 * 1024;
  return new Promise((resolve) => {
    let rest = "";
    stream.setEncoding("utf8");
    stream.on("data", (text: string) => {
      const lines = (rest + text).split("\n");
      rest = lines.pop() ?? "";
      for (const line of lines) {
        log(name, line);
      }
      while (rest.length > limit) {
        log(name, rest.slice(0, limit));
        rest = rest.slice(limit);
      }
    });
    stream.once("close", () => {
      if (rest !== "") {
        log(name, rest);
      }
      resolve();
    });
  });
}

/** The workload as the host sees it, below the tools that set it up and wait for it; undefined while it is set up. */
function workloadOf(pid: number): number | undefined {
  let found = pid;
  for (let generation = 0; generation < launch.depth; generation++) {
    try {
      const child = /\d+/.exec(readFileSync(`/proc/${found}/task/${found}/children`, "utf8"));
      if (child === null) {
        return undefined;
      }
      found = Number(child[0]);
    } catch {
      return undefined;
    }
  }
  return found;
}

/** Whether it would do anything about SIGTERM: what is process 1 of its namespace gets it only if it handles it. */
function handlesTermination(pid: number): boolean {
  if (launch.depth !== 1) {
    return true;
  }
  try {
    const caught = /^SigCgt:\s*([0-9a-f]+)/m.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1] ?? "0";
    return (BigInt(`0x${caught}`) >> 14n) % 2n === 1n;
  } catch {
    return true;
  }
}

interface Ending {
  readonly exitCode: number;
  readonly message: string;
  readonly ran: number;
}

async function runOnce(): Promise<Ending> {
  const began = Date.now();
  const killsBefore = memoryKills();
  lastLine = "";
  const [file = "", ...rest] = [...withHolder(launch.command), ...launch.arguments];
  const child = spawn(file, rest, {
    cwd: launch.folder,
    env: { ...launch.environment },
    stdio: ["ignore", "pipe", "pipe", launch.input === undefined ? "ignore" : "pipe"],
    // A group of its own, so that without namespaces its children can be reached too.
    detached: launch.holder === undefined,
  });
  run = child;
  const input = child.stdio[3];
  if (input !== null && input !== undefined && "end" in input) {
    // It may end before it has read it.
    input.on("error", () => undefined);
    input.end(launch.input);
  }
  if (child.stdout === null || child.stderr === null) {
    throw new Error("it has no output");
  }
  const output = Promise.all([readLines(child.stdout, "stdout"), readLines(child.stderr, "stderr")]);
  const ended = new Promise<number>((resolve, reject) => {
    child.once("error", reject);
    child.once("exit", (code, signal) => resolve(code ?? 128 + signalNumber(signal)));
  });
  if (child.pid !== undefined) {
    writeState({
      phase: "running",
      startedAt: new Date(began).toISOString(),
      run: `${child.pid}-${began}`,
      process: mark(child.pid),
    });
  }
  const exitCode = await ended;
  run = undefined;
  // What the workload left behind may still hold the pipes.
  if (launch.holder === undefined && child.pid !== undefined) {
    killGroup(child.pid, "SIGKILL");
  }
  await Promise.race([output, new Promise((resolve) => setTimeout(resolve, 1000).unref())]);
  const ran = Date.now() - began;
  const reason =
    memoryKills() > killsBefore
      ? "it used more memory than its limit and was killed"
      : `exited with ${exitCode} after ${Math.round(ran / 1000)} s`;
  return { exitCode, ran, message: lastLine === "" ? reason : `${reason}: "${lastLine}"` };
}

function signalNumber(signal: string | null): number {
  return (
    { SIGHUP: 1, SIGINT: 2, SIGQUIT: 3, SIGILL: 4, SIGABRT: 6, SIGKILL: 9, SIGSEGV: 11, SIGTERM: 15 }[signal ?? ""] ?? 0
  );
}

function killGroup(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(-pid, signal);
  } catch {}
}

function signalWorkload(signal: NodeJS.Signals): void {
  const pid = run?.pid;
  if (pid === undefined) {
    return;
  }
  if (launch.holder === undefined) {
    killGroup(pid, signal);
    return;
  }
  const workload = workloadOf(pid);
  try {
    if (workload !== undefined) {
      process.kill(workload, signal);
    }
  } catch {}
}

async function main(): Promise<void> {
  mkdirSync(join(folder, "log"), { recursive: true, mode: 0o700 });
  let delay = launch.firstDelay;
  writeState({ phase: "starting" });
  while (!stopping) {
    let ending: Ending;
    try {
      makeControlGroups();
      await startHolder();
      if (stopping) {
        break;
      }
      ending = await runOnce();
    } catch (error) {
      const message = error instanceof Error ? error.message : String(error);
      log("stderr", message);
      ending = { exitCode: 127, ran: 0, message };
    }
    if (stopping) {
      break;
    }
    writeState({ phase: "exited", exitCode: ending.exitCode, message: ending.message });
    delay = ending.ran >= launch.settled ? launch.firstDelay : delay;
    await new Promise<void>((resolve) => {
      wake = resolve;
      setTimeout(resolve, delay);
    });
    delay = Math.min(delay * 2, launch.maximumDelay);
    restarts += 1;
  }
  holder?.kill("SIGKILL");
  await removeControlGroups();
  writeState({ phase: "stopped" });
  process.exit(0);
}

function stop(): void {
  if (stopping) {
    return;
  }
  stopping = true;
  wake();
  const pid = run?.pid;
  const workload = pid === undefined ? undefined : workloadOf(pid);
  if (workload !== undefined && handlesTermination(workload)) {
    signalWorkload("SIGTERM");
    // Some programs handle it by asking for the default, which does nothing to process 1 of a namespace.
    setInterval(() => {
      if (!handlesTermination(workload)) {
        kill();
      }
    }, 50).unref();
    setTimeout(kill, launch.grace).unref();
  } else {
    kill();
  }
}

function kill(): void {
  signalWorkload("SIGKILL");
  run?.kill("SIGKILL");
}

// Whoever deletes the folder wants no instance either: without this it would run for ever, with nobody to find it.
setInterval(() => {
  if (!existsSync(join(folder, "launch.json"))) {
    stop();
  }
}, 2000).unref();
process.on("SIGTERM", stop);
process.on("SIGINT", () => undefined);
process.on("SIGHUP", () => undefined);
main().catch((error: unknown) => {
  log("stderr", `the supervisor failed: ${error}`);
  signalWorkload("SIGKILL");
  holder?.kill("SIGKILL");
  process.exit(1);
});
