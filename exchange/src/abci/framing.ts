import { BinaryWriter } from "cosmjs-types/binary";

/** The peer sent what is no frame: the connection can't be read any further. */
export class FramingError extends Error {
  override readonly name = "FramingError";
}

/**
 * Takes length-delimited messages out of a stream, as CometBFT's socket client writes them: the length as an
 * unsigned varint, then that many bytes. (CometBFT: libs/protoio)
 */
export class FrameReader {
  private readonly chunks: Buffer[] = [];
  private buffered = 0;

  /** @param mostBytes of one message */
  constructor(private readonly mostBytes: number) {}

  /**
   * The messages that are whole with this chunk, in their order.
   * @throws FramingError when a message is longer than is allowed
   */
  *push(chunk: Buffer): Generator<Buffer> {
    this.chunks.push(chunk);
    this.buffered += chunk.length;
    for (let header = this.header(); header !== undefined; header = this.header()) {
      const end = header.bytes + header.length;
      if (this.buffered < end) return;
      const all = this.joined();
      this.chunks.length = 0;
      this.buffered = all.length - end;
      if (this.buffered > 0) this.chunks.push(all.subarray(end));
      yield all.subarray(header.bytes, end);
    }
  }

  /** Length of the next message, and how many bytes say it. */
  private header(): { readonly length: number; readonly bytes: number } | undefined {
    if (this.buffered === 0) return undefined;
    // A length is told apart in the first chunk but for the rare one that is cut.
    const first = (this.chunks[0]?.length ?? 0) < 5 ? this.joined() : (this.chunks[0] ?? Buffer.alloc(0));
    let length = 0;
    for (let index = 0; index < 5; index++) {
      const byte = first[index];
      if (byte === undefined) return undefined;
      length += (byte & 0x7f) * 2 ** (7 * index);
      if (byte < 0x80) {
        if (length > this.mostBytes) throw new FramingError(`a message of ${length} bytes, at most ${this.mostBytes}`);
        return { length, bytes: index + 1 };
      }
    }
    throw new FramingError("a message's length has more than five bytes");
  }

  private joined(): Buffer {
    if (this.chunks.length > 1) this.chunks.splice(0, this.chunks.length, Buffer.concat(this.chunks));
    return this.chunks[0] ?? Buffer.alloc(0);
  }
}

/** A message with its length before it. */
export function frame(message: Uint8Array): Uint8Array {
  return BinaryWriter.create().bytes(message).finish();
}
