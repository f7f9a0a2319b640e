import { request as openRequest } from "node:http";
import { type Duplex, PassThrough, type Readable, Writable } from "node:stream";
import { text } from "node:stream/consumers";
import { AgentRefused, AgentUnreachable } from "./agent-errors";
import { ApiError } from "./api";
import { ExecExit, type ExecStart, execProtocol, readFrames, roomIn, type TerminalSize, writeFrame } from "./exec";

/** A command that runs in an instance. */
export interface RemoteExecution {
  readonly stdin: Writable;
  readonly stdout: Readable;
  /** Ends at once where the command has a terminal. */
  readonly stderr: Readable;
  resize(size: TerminalSize): void;
  /** Its exit code. Rejects with AgentRefused where it did not start, and with AgentUnreachable where the connection broke. */
  readonly exited: Promise<number>;
  /** Ends the connection, and with it the command. */
  close(): void;
}

export interface ExecRequest {
  readonly datacenter: string;
  readonly url: URL;
  /** From "/v1/" on. */
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly signal: AbortSignal | undefined;
}

/** Turns a connection to an agent into one for frames. @throws {AgentRefused} */
export async function upgradeToExec(socket: Duplex, request: ExecRequest): Promise<Duplex> {
  const { datacenter, headers, path, signal, url } = request;
  return await new Promise((resolve, reject) => {
    const asking = openRequest({
      createConnection: () => socket,
      host: url.host,
      path: `${url.pathname.replace(/\/$/, "")}${path}`,
      headers: { ...headers, host: url.host, connection: "Upgrade", upgrade: execProtocol },
      ...(signal === undefined ? {} : { signal }),
    });
    asking.once("error", reject);
    asking.once("response", (answer) => {
      text(answer).then((body) => {
        const refusal = ApiError.safeParse(parseJson(body)).data;
        const { code = "unknown", message = "it gave no reason" } = refusal ?? {};
        reject(new AgentRefused(datacenter, answer.statusCode ?? 0, code, message, `GET ${path}`));
        socket.destroy();
      }, reject);
    });
    asking.once("upgrade", (_answer, stream, head) => {
      if (head.length > 0) stream.unshift(head);
      resolve(stream);
    });
    asking.end();
  });
}

/** Runs a command over a connection that `upgradeToExec` has made. */
export function executeRemotely(
  stream: Duplex,
  start: ExecStart,
  { datacenter, path, url }: ExecRequest,
): RemoteExecution {
  const stdout = new PassThrough();
  const stderr = new PassThrough();
  // How a connection broke is told by its end alone.
  stream.on("error", () => undefined);
  const stdin = new Writable({
    write: (data: Buffer, _encoding, done) => void writeFrame(stream, "stdin", data).then(() => done(), done),
    final: (done) => void writeFrame(stream, "stdinEnd", Buffer.alloc(0)).then(() => done(), done),
  });
  const follow = async (): Promise<number> => {
    await writeFrame(stream, "start", start);
    for await (const { kind, payload } of readFrames(stream)) {
      if (kind === "stdout") await pass(stdout, payload);
      else if (kind === "stderr") await pass(stderr, payload);
      else if (kind === "exit") return ExecExit.parse(parseJson(payload.toString("utf8"))).code;
      else if (kind === "error") {
        const { code, message } = ApiError.parse(parseJson(payload.toString("utf8")));
        throw new AgentRefused(datacenter, 409, code, message, `GET ${path}`);
      }
    }
    throw new AgentUnreachable(datacenter, [url.href], ["the connection ended before the command did"]);
  };
  const exited = follow().finally(() => {
    stdout.end();
    stderr.end();
    stdin.destroy();
    stream.destroy();
  });
  // Whoever reads the output alone learns of its end there.
  exited.catch(() => undefined);
  return {
    stdin,
    stdout,
    stderr,
    resize: (size) => void writeFrame(stream, "resize", size),
    exited,
    close: () => stream.destroy(),
  };
}

async function pass(to: PassThrough, data: Buffer): Promise<void> {
  if (to.destroyed) return;
  // Frames are views of what arrives next.
  if (!to.write(Buffer.from(data))) await roomIn(to);
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
