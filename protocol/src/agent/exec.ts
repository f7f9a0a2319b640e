import type { Duplex, Writable } from "node:stream";
import { z } from "zod";

/**
 * A command in an instance, over one connection to the agent: `GET …/workloads/:name/exec` with `Upgrade: dcx-exec`.
 * After the answer 101 both sides send frames: a byte that says what it is, the length of what follows (4 bytes, big
 * endian), and that. The first is the client's `start`; the agent's `exit` or `error` is the last.
 */
export const execProtocol = "dcx-exec";

export const frameKinds = {
  /** Client: ExecStart as JSON. */
  start: 0,
  stdin: 1,
  stdout: 2,
  stderr: 3,
  /** Client: nothing more comes for the command to read. */
  stdinEnd: 4,
  /** Client: TerminalSize as JSON. */
  resize: 5,
  /** Agent: ExecExit as JSON. */
  exit: 6,
  /** Agent: ApiError as JSON. */
  error: 7,
} as const;
export type FrameKind = keyof typeof frameKinds;

const kindOf = new Map<number, FrameKind>(Object.entries(frameKinds).map(([name, code]) => [code, name as FrameKind]));

const side = z.number().int().min(1).max(10_000);
export const TerminalSize = z.object({ columns: side, rows: side });
export type TerminalSize = z.infer<typeof TerminalSize>;

export const ExecStart = z.object({
  /** The program and its arguments. */
  command: z.array(z.string().max(65_536)).min(1).max(1_024),
  /** Index of the instance; absent: the first that runs. */
  instance: z.number().int().min(0).optional(),
  /** Present: the command gets a terminal, and its stdout and stderr are one. */
  terminal: TerminalSize.extend({ type: z.string().regex(/^[A-Za-z0-9+._-]{1,40}$/) }).optional(),
});
export type ExecStart = z.infer<typeof ExecStart>;

/** 128 and the signal's number where a signal ended it. */
export const ExecExit = z.object({ code: z.number().int() });

export interface Frame {
  readonly kind: FrameKind;
  readonly payload: Buffer;
}

/** Longest payload, in bytes. Longer data goes in several frames. */
export const longestFrame = 256 * 1024;
const headerLength = 5;

/** What arrives can't be a frame of this protocol. */
export class FrameError extends Error {
  override readonly name = "FrameError";
}

/** The frames that arrive, as long as they do. @throws {FrameError} */
export async function* readFrames(stream: AsyncIterable<Buffer>): AsyncGenerator<Frame, void, undefined> {
  let rest: Buffer = Buffer.alloc(0);
  for await (const chunk of stream) {
    rest = rest.length === 0 ? chunk : Buffer.concat([rest, chunk]);
    while (rest.length >= headerLength) {
      const kind = kindOf.get(rest.readUInt8(0));
      const length = rest.readUInt32BE(1);
      if (kind === undefined || length > longestFrame) throw new FrameError("what arrived is no frame of dcx-exec");
      if (rest.length < headerLength + length) break;
      yield { kind, payload: rest.subarray(headerLength, headerLength + length) };
      rest = rest.subarray(headerLength + length);
    }
  }
}

/** Sends data, in as many frames as it takes; resolves when there is room for more, or nobody is left to send to. */
export async function writeFrame(stream: Duplex, kind: FrameKind, data: Uint8Array | object): Promise<void> {
  const payload = data instanceof Uint8Array ? Buffer.from(data) : Buffer.from(JSON.stringify(data));
  let at = 0;
  do {
    const part = payload.subarray(at, at + longestFrame);
    const header = Buffer.alloc(headerLength);
    header.writeUInt8(frameKinds[kind], 0);
    header.writeUInt32BE(part.length, 1);
    at += part.length;
    if (stream.destroyed || stream.writableEnded) return;
    if (!stream.write(Buffer.concat([header, part]))) await roomIn(stream);
  } while (at < payload.length);
}

/** Resolves once what was written has gone, or the stream has closed; leaves no listener on it. */
export function roomIn(stream: Writable): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      stream.off("drain", done);
      stream.off("close", done);
      resolve();
    };
    stream.once("drain", done);
    stream.once("close", done);
  });
}
