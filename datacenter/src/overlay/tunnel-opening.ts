import type { Duplex } from "node:stream";
import { z } from "zod";

/** What a stream of a tunnel is opened for: to be told whether the target accepts, or to be joined to it as well. */
export type Wish = "ask" | "carry";

/** What the target's agent says to it, before anything else. */
export const Answer = z.object({
  /** `expired`: the certificate that the tunnel came with counts no more, it takes a new tunnel. */
  outcome: z.enum(["accepts", "refuses", "expired"]),
  /** Why not, for a person. */
  reason: z.string().optional(),
  /** Digest of the entry that the target's datacenter runs now. */
  entry: z.string().optional(),
});
export type Answer = z.infer<typeof Answer>;

/** The application protocol of both ends in TLS. */
export const tunnelProtocol = "dcx-tunnel/1";

const codes: Readonly<Record<Wish, number>> = { ask: 0, carry: 1 };
const lengthBytes = 2;
const mostReason = 1_000;

export function encodeWish(wish: Wish): Buffer {
  return Buffer.from([codes[wish]]);
}

/** Rejects when the stream ends before, or it is no wish. */
export async function readWish(stream: Duplex): Promise<Wish> {
  const [code] = await readExactly(stream, 1);
  if (code === codes.ask) return "ask";
  if (code === codes.carry) return "carry";
  throw new Error(`a stream begins with ${code}, which is no wish`);
}

/** JSON after its length in two bytes. */
export function encodeAnswer({ outcome, reason, entry }: Answer): Buffer {
  const said: Answer = {
    outcome,
    ...(reason === undefined ? {} : { reason: reason.slice(0, mostReason) }),
    ...(entry === undefined ? {} : { entry }),
  };
  const text = Buffer.from(JSON.stringify(said));
  const length = Buffer.alloc(lengthBytes);
  length.writeUInt16BE(text.length);
  return Buffer.concat([length, text]);
}

/** Rejects when the stream ends before, or it is no answer. What comes after it is left in the stream. */
export async function readAnswer(stream: Duplex): Promise<Answer> {
  const length = (await readExactly(stream, lengthBytes)).readUInt16BE();
  return Answer.parse(JSON.parse(String(await readExactly(stream, length))));
}

function readExactly(stream: Duplex, bytes: number): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const finish = (): void => void stream.off("readable", look).off("end", ended).off("close", ended);
    const ended = (): void => {
      finish();
      reject(new Error("the stream ended before its opening was complete"));
    };
    const look = (): void => {
      if (stream.readableLength < bytes) return;
      finish();
      resolve(stream.read(bytes));
    };
    if (stream.destroyed || stream.readableEnded) {
      ended();
      return;
    }
    stream.on("readable", look).on("end", ended).on("close", ended);
    look();
  });
}
