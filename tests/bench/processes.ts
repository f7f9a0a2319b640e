import { type ChildProcess, execFile, type StdioOptions, spawn } from "node:child_process";
import { closeSync, existsSync, openSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { root } from "../support/root";

const run = promisify(execFile);

/** Standard output of a command. Rejects with the line in which it says what is wrong. */
export async function outputOf(command: string, args: readonly string[], environment = process.env): Promise<string> {
  try {
    return (await run(command, [...args], { env: environment, maxBuffer: 64 * 2 ** 20 })).stdout;
  } catch (error) {
    const said =
      error instanceof Error && "stdout" in error && "stderr" in error ? `${error.stdout}\n${error.stderr}` : "";
    const lines = said.split("\n").filter((line) => line.trim() !== "");
    const complaint = lines.find((line) => /\berror:/i.test(line)) ?? lines.at(-1) ?? String(error);
    throw new Error(`${command} ${args[0] ?? ""}: ${complaint.trim()}`, { cause: error });
  }
}

/** Path of the command that a tool of ours finds or builds. */
export async function tool(name: "akash.cjs" | "cometbft.cjs"): Promise<string> {
  return (await outputOf(process.execPath, [join(root, "tools", name)])).trim();
}

/** A process of this run. Its output goes to a file, of which the end is in errors. */
export class Service {
  private constructor(
    private readonly child: ChildProcess,
    readonly pid: number,
    private readonly logFile: string,
  ) {}

  static start(
    command: string,
    args: readonly string[],
    options: { readonly logFile: string; readonly environment?: NodeJS.ProcessEnv; readonly messages?: "ipc" },
  ): Service {
    const log = openSync(options.logFile, "a");
    const stdio: StdioOptions = ["ignore", log, log, ...(options.messages === undefined ? [] : [options.messages])];
    const child = spawn(command, [...args], { stdio, env: options.environment ?? process.env });
    closeSync(log);
    // An error without a listener would end this process; `ended` and `nextMessage` tell of it.
    child.on("error", () => {});
    if (child.pid === undefined) {
      throw new Error(`${command} could not be started`);
    }
    return new Service(child, child.pid, options.logFile);
  }

  get hasEnded(): boolean {
    return this.child.exitCode !== null || this.child.signalCode !== null;
  }

  /** The last lines of what it said. */
  get lastWords(): string {
    return readFileSync(this.logFile, "utf8").trimEnd().split("\n").slice(-3).join(" | ").slice(-600);
  }

  /** The next message that it sends over its channel. */
  nextMessage(): Promise<unknown> {
    return new Promise((resolve, reject) => {
      const ended = (code: number | null, signal: string | null): void =>
        reject(new Error(`it ended with ${signal ?? code}: ${this.lastWords}`));
      this.child.once("exit", ended);
      this.child.once("message", (message) => {
        this.child.off("exit", ended);
        resolve(message);
      });
    });
  }

  /** Sends a question over its channel, and resolves with the message that comes back. */
  ask(question: object): Promise<unknown> {
    const answer = this.nextMessage();
    this.child.send(question);
    return answer;
  }

  /**
   * Seconds of processor time that it and the processes that it started and that still run have used, in user mode and
   * in the system, all threads. Linux only.
   */
  cpuSeconds(): number {
    const children = readFileSync(`/proc/${this.pid}/task/${this.pid}/children`, "utf8").trim();
    return [this.pid, ...children.split(" ").filter((pid) => pid !== "")]
      .map((pid) => cpuSecondsIn(readFileSync(`/proc/${pid}/stat`, "utf8")))
      .reduce((sum, seconds) => sum + seconds, 0);
  }

  /**
   * Megabytes (2^20 bytes) of memory that the process holds for itself now. Pages of files that it maps, as lmdb does
   * its databases, are not among them: they are the kernel's cache, which it takes back whenever it wants. Where there
   * is no /proc they are, for `ps` can't tell them apart.
   */
  async heldMegabytes(): Promise<number> {
    const status = `/proc/${this.pid}/status`;
    return existsSync("/proc/self/status")
      ? anonymousMegabytesIn(readFileSync(status, "utf8"))
      : Number(await outputOf("ps", ["-o", "rss=", "-p", String(this.pid)])) / 1024;
  }

  /** Ends it without a warning. */
  async kill(): Promise<void> {
    if (!this.hasEnded) {
      const ended = new Promise((resolve) => this.child.once("exit", resolve));
      this.child.kill("SIGKILL");
      await ended;
    }
  }

  async stop(): Promise<void> {
    if (!this.hasEnded) {
      const ended = new Promise((resolve) => this.child.once("exit", resolve));
      this.child.kill("SIGTERM");
      const killer = setTimeout(() => this.child.kill("SIGKILL"), 10_000);
      await ended;
      clearTimeout(killer);
    }
  }
}

/** Linux counts in hundredths of a second towards programs, whatever its own clock does. */
const ticksPerSecond = 100;

/** utime + stime of a line of /proc/<pid>/stat. The command in it, in parentheses, may hold anything. */
export function cpuSecondsIn(stat: string): number {
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  const ticks = Number(fields[11]) + Number(fields[12]);
  if (!Number.isFinite(ticks)) {
    throw new Error("this is no line of /proc/<pid>/stat");
  }
  return ticks / ticksPerSecond;
}

/** Megabytes (2^20 bytes) in the line RssAnon of a /proc/<pid>/status: what is resident and of no file. */
export function anonymousMegabytesIn(status: string): number {
  const kilobytes = /^RssAnon:\s+(\d+) kB$/m.exec(status)?.[1];
  if (kilobytes === undefined) {
    throw new Error("this is no /proc/<pid>/status of a process that runs");
  }
  return Number(kilobytes) / 1024;
}

/** Resolves with what `condition` finds. Rejects after `timeout` milliseconds, naming what was waited for. */
export async function until<Result>(
  what: string,
  timeout: number,
  condition: () => Promise<Result | undefined>,
): Promise<Result> {
  const deadline = performance.now() + timeout;
  for (;;) {
    const result = await condition();
    if (result !== undefined) {
      return result;
    }
    if (performance.now() > deadline) {
      throw new Error(`not within ${timeout / 1000} s: ${what}`);
    }
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}
