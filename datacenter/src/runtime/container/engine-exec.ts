import { PassThrough } from "node:stream";
import type Docker from "dockerode";
import type { ExecOptions, Execution } from "../execution";

/** Exit code of what was killed. */
const killed = 137;

/** Runs a health check's command. Resolves to its exit code; 137 where it took longer than `timeout` ms. */
export async function executeInContainer(
  container: Docker.Container,
  command: readonly string[],
  timeout: number,
): Promise<number> {
  const execution = await container.exec({ Cmd: [...command], AttachStdout: true, AttachStderr: true });
  const stream = await execution.start({ hijack: true, stdin: false });
  stream.resume();
  const ended = new Promise<"ended">((resolve) => {
    stream.once("close", () => resolve("ended"));
    stream.once("end", () => resolve("ended"));
    stream.once("error", () => resolve("ended"));
  });
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<"late">((resolve) => {
    timer = setTimeout(() => resolve("late"), timeout);
  });
  const outcome = await Promise.race([ended, late]);
  clearTimeout(timer);
  if (outcome === "late") {
    stream.destroy();
    await end(execution);
    return killed;
  }
  return (await execution.inspect()).ExitCode ?? killed;
}

/** Runs a command that somebody follows. */
export async function openInContainer(
  engine: Docker,
  container: Docker.Container,
  { command, terminal }: ExecOptions,
): Promise<Execution> {
  const execution = await container.exec({
    Cmd: [...command],
    AttachStdin: true,
    AttachStdout: true,
    AttachStderr: true,
    Tty: terminal !== undefined,
    ...(terminal === undefined ? {} : { Env: [`TERM=${terminal.type}`] }),
  });
  const stream = await execution.start({ hijack: true, stdin: true, Tty: terminal !== undefined });
  const stdout = new PassThrough();
  const stderr = new PassThrough();
  if (terminal === undefined) engine.modem.demuxStream(stream, stdout, stderr);
  else stream.pipe(stdout);
  const resize = (size: { readonly columns: number; readonly rows: number }): void => {
    // It may have ended meanwhile.
    execution.resize({ w: size.columns, h: size.rows }).catch(() => undefined);
  };
  if (terminal !== undefined) resize(terminal);
  const exited = new Promise<void>((resolve) => {
    for (const event of ["end", "close", "error"]) stream.once(event, () => resolve());
  }).then(async () => {
    stdout.end();
    stderr.end();
    return await exitCode(execution);
  });
  exited.catch(() => undefined);
  return {
    stdin: stream,
    stdout,
    ...(terminal === undefined ? { stderr } : {}),
    resize,
    exited,
    kill: () => {
      stream.destroy();
      end(execution).catch(() => undefined);
    },
  };
}

/** The engine tells of the stream's end a moment before it knows the code. */
async function exitCode(execution: Docker.Exec): Promise<number> {
  for (let attempt = 0; attempt < 100; attempt++) {
    const { ExitCode, Running } = await execution.inspect();
    if (!Running && ExitCode !== null && ExitCode !== undefined) return ExitCode;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  return killed;
}

/** The engine's interface has no way to end one. */
async function end(execution: Docker.Exec): Promise<void> {
  const { Pid, Running } = await execution.inspect();
  if (Running && Pid > 0) process.kill(Pid, "SIGKILL");
}
