import { spawn } from "node:child_process";
import { once } from "node:events";
import { constants } from "node:os";
import { PassThrough, Writable } from "node:stream";
import { StringDecoder } from "node:string_decoder";
import type { ExecOptions, Execution } from "../execution";

/** Command line, as the host sees it, of something that runs in an instance. */
export interface InnerCommand {
  readonly line: readonly string[];
  readonly environment: Readonly<Record<string, string>>;
  readonly folder: string;
}

/** Runs a health check's command. Resolves to its exit code; 137 where it took longer than `timeout` ms. */
export async function executeInside({ environment, folder, line }: InnerCommand, timeout: number): Promise<number> {
  const [file = "", ...rest] = line;
  const child = spawn(file, rest, { cwd: folder, env: environment, stdio: "ignore", detached: true });
  const timer = setTimeout(() => endGroup(child.pid), timeout);
  try {
    const [code] = await once(child, "exit");
    return typeof code === "number" ? code : 137;
  } finally {
    clearTimeout(timer);
  }
}

/** Runs a command that somebody follows. @throws where this machine can't make terminals and one is asked for */
export async function openInside(inner: InnerCommand, options: ExecOptions): Promise<Execution> {
  return options.terminal === undefined ? await withPipes(inner) : await withTerminal(inner, options.terminal);
}

async function withPipes({ environment, folder, line }: InnerCommand): Promise<Execution> {
  const [file = "", ...rest] = line;
  const child = spawn(file, rest, { cwd: folder, env: environment, stdio: "pipe", detached: true });
  const exited = new Promise<number>((resolve, reject) => {
    child.once("error", reject);
    // Once nothing of its output is left.
    child.once("close", (code, signal) => resolve(code ?? 128 + (signal === null ? 0 : constants.signals[signal])));
  });
  exited.catch(() => undefined);
  // It may end without having read all.
  child.stdin.on("error", () => undefined);
  return {
    stdin: child.stdin,
    stdout: child.stdout,
    stderr: child.stderr,
    resize: () => undefined,
    exited,
    kill: () => endGroup(child.pid),
  };
}

async function withTerminal(
  { environment, folder, line }: InnerCommand,
  { columns, rows, type }: NonNullable<ExecOptions["terminal"]>,
): Promise<Execution> {
  const { spawn: spawnInTerminal } = await import("@lydell/node-pty").catch((error: unknown) => {
    throw new Error(`terminals can't be made on this machine: ${error instanceof Error ? error.message : error}`);
  });
  const [file = "", ...rest] = line;
  const terminal = spawnInTerminal(file, rest, {
    name: type,
    cols: columns,
    rows,
    cwd: folder,
    env: { ...environment, TERM: type },
    encoding: null,
  });
  // It takes text: a character may come in two parts.
  const decoder = new StringDecoder("utf8");
  const stdout = new PassThrough();
  // Its type says text; without an encoding it is bytes.
  terminal.onData((data: string | Buffer) => {
    if (stdout.write(data)) return;
    terminal.pause();
    stdout.once("drain", () => terminal.resume());
  });
  const exited = new Promise<number>((resolve) => {
    terminal.onExit(({ exitCode, signal }) => {
      stdout.end();
      resolve(signal === undefined || signal === 0 ? exitCode : 128 + signal);
    });
  });
  let ended = false;
  void exited.then(() => {
    ended = true;
  });
  return {
    stdin: new Writable({
      write: (data: Buffer, _encoding, done) => {
        if (!ended) terminal.write(decoder.write(data));
        done();
      },
      // A terminal has no end of input but this: what Ctrl-D says.
      final: (done) => {
        if (!ended) terminal.write("\u0004");
        done();
      },
    }),
    stdout,
    resize: (size) => {
      if (!ended) terminal.resize(size.columns, size.rows);
    },
    exited,
    kill: () => {
      if (!ended) endGroup(terminal.pid);
    },
  };
}

/** SIGKILL to the group that a command of ours leads. */
function endGroup(pid: number | undefined): void {
  if (pid === undefined) return;
  try {
    process.kill(-pid, "SIGKILL");
  } catch {
    // It has ended.
  }
}
