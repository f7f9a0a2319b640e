/**
 * The framing of yamux (https://github.com/hashicorp/yamux/blob/master/spec.md), version 0: a header of twelve bytes, and
 * after that of data as many as it says.
 */
export const headerLength = 12;

export const frameType = { data: 0, windowUpdate: 1, ping: 2, goAway: 3 } as const;

export const flag = { syn: 1, ack: 2, fin: 4, reset: 8 } as const;

export interface Header {
  /** One of `frameType`, or nothing that is known. */
  readonly type: number;
  readonly flags: number;
  /** 0: the session. */
  readonly stream: number;
  /** Of data the bytes that follow, of a window update the bytes that may be sent, else as the type has it. */
  readonly length: number;
}

export function writeHeader(to: Buffer, at: number, { type, flags, stream, length }: Header): void {
  to[at] = 0;
  to[at + 1] = type;
  to[at + 2] = flags >>> 8;
  to[at + 3] = flags & 0xff;
  to.writeUInt32BE(stream, at + 4);
  to.writeUInt32BE(length, at + 8);
}

export interface FrameHandler {
  onHeader(header: Header): void;
  /**
   * A piece of the data that the last header announced. Pieces are not put together.
   * @param last whether nothing of it is missing any more
   */
  onData(piece: Buffer, last: boolean): void;
}

export class UnknownVersion extends Error {
  constructor(version: number) {
    super(`it speaks version ${version} of yamux, not 0`);
  }
}

/** Takes what arrives apart. Keeps less than one header. */
export class FrameReader {
  readonly #handler: FrameHandler;
  readonly #partial = Buffer.alloc(headerLength);
  #has = 0;
  /** Bytes of data that are still to come. */
  #missing = 0;

  constructor(handler: FrameHandler) {
    this.#handler = handler;
  }

  /** @throws UnknownVersion, and what the handler throws: nothing more can be read after that */
  read(chunk: Buffer): void {
    let at = 0;
    while (at < chunk.length) {
      const left = chunk.length - at;
      if (this.#missing > 0) {
        const taken = Math.min(this.#missing, left);
        this.#missing -= taken;
        this.#handler.onData(taken === chunk.length ? chunk : chunk.subarray(at, at + taken), this.#missing === 0);
        at += taken;
      } else if (this.#has === 0 && left >= headerLength) {
        this.#header(chunk, at);
        at += headerLength;
      } else {
        const taken = chunk.copy(this.#partial, this.#has, at, at + headerLength - this.#has);
        this.#has += taken;
        at += taken;
        if (this.#has === headerLength) {
          this.#has = 0;
          this.#header(this.#partial, 0);
        }
      }
    }
  }

  #header(from: Buffer, at: number): void {
    const version = from.readUInt8(at);
    if (version !== 0) throw new UnknownVersion(version);
    const header = {
      type: from.readUInt8(at + 1),
      flags: from.readUInt16BE(at + 2),
      stream: from.readUInt32BE(at + 4),
      length: from.readUInt32BE(at + 8),
    };
    if (header.type === frameType.data) this.#missing = header.length;
    this.#handler.onHeader(header);
  }
}
