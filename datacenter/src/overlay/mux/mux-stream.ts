import { Duplex } from "node:stream";
import { flag, frameType } from "./frames";

/** Bytes that either end of a stream may send before the other one has said more: what yamux begins with. */
export const firstWindow = 256 * 1024;
/** What each end makes of it at once. */
export const streamWindow = 1024 * 1024;
/** Bytes of one frame of data at most, so that no stream keeps the others waiting. */
const mostData = 64 * 1024;

/** What a stream needs of its session. */
export interface StreamCarrier {
  /** Whether data is to wait until `proceed` is called. */
  readonly full: boolean;
  send(type: number, flags: number, stream: MuxStream, length: number, data?: Buffer): void;
  awaitDrain(stream: MuxStream): void;
  /** So many bytes in so many pieces have been read by whoever reads the stream. */
  consumed(bytes: number, pieces: number): void;
  forget(stream: MuxStream): void;
}

/** One stream of a session. It ends in each direction by itself; who destroys it before that resets it. */
export class MuxStream extends Duplex {
  readonly #carrier: StreamCarrier;
  #maySend = firstWindow;
  #mayReceive = streamWindow;
  #pieces = 0;
  #held = 0;
  /** Read since the other end was last told. */
  #read = 0;
  #ended = false;
  #gone = false;
  #waiting: { data: Buffer; readonly done: (error?: Error) => void } | undefined;

  constructor(
    carrier: StreamCarrier,
    readonly id: number,
  ) {
    super({ readableHighWaterMark: mostData, writableHighWaterMark: 4 * mostData });
    this.#carrier = carrier;
  }

  /** Whether so many bytes may come. */
  admits(bytes: number): boolean {
    return !this.#ended && bytes <= this.#mayReceive;
  }

  announced(bytes: number): void {
    this.#mayReceive -= bytes;
  }

  received(piece: Buffer): void {
    this.#held += piece.length;
    this.#pieces += 1;
    this.push(piece);
    this.#tellRead();
  }

  receivedEnd(): void {
    if (this.#ended) return;
    this.#ended = true;
    this.push(null);
  }

  /** The other end reset it, or the session is gone. */
  lose(error: Error): void {
    this.#gone = true;
    this.destroy(error);
  }

  /** The other end takes so many bytes more. */
  opened(bytes: number): void {
    this.#maySend += bytes;
    this.proceed();
  }

  /** Sends what waits. */
  proceed(): void {
    const waiting = this.#waiting;
    if (waiting === undefined) return;
    this.#waiting = undefined;
    this.#send(waiting.data, waiting.done);
  }

  override _write(data: Buffer, _encoding: BufferEncoding, done: (error?: Error) => void): void {
    this.#send(data, done);
  }

  override _final(done: (error?: Error) => void): void {
    this.#carrier.send(frameType.windowUpdate, flag.fin, this, 0);
    done();
  }

  override _read(): void {
    this.#tellRead();
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    if (!this.#gone && !(this.#ended && this.writableFinished)) {
      this.#carrier.send(frameType.windowUpdate, flag.reset, this, 0);
    }
    this.#carrier.consumed(this.#held, this.#pieces);
    this.#held = 0;
    this.#pieces = 0;
    this.#carrier.forget(this);
    const waiting = this.#waiting;
    this.#waiting = undefined;
    waiting?.done(error ?? new Error("the flow was cut"));
    done(error);
  }

  #send(data: Buffer, done: (error?: Error) => void): void {
    let rest = data;
    while (rest.length > 0) {
      if (this.#carrier.full || this.#maySend === 0) {
        this.#waiting = { data: rest, done };
        if (this.#maySend > 0) this.#carrier.awaitDrain(this);
        return;
      }
      const size = Math.min(rest.length, this.#maySend, mostData);
      this.#maySend -= size;
      this.#carrier.send(frameType.data, 0, this, size, size === rest.length ? rest : rest.subarray(0, size));
      rest = rest.subarray(size);
    }
    done();
  }

  #tellRead(): void {
    const read = this.#held - this.readableLength;
    if (read === 0 || this.destroyed) return;
    this.#held -= read;
    const pieces = this.#held === 0 ? this.#pieces : 0;
    this.#pieces -= pieces;
    this.#carrier.consumed(read, pieces);
    this.#read += read;
    if (this.#read < streamWindow / 2 || this.#ended) return;
    this.#mayReceive += this.#read;
    this.#carrier.send(frameType.windowUpdate, 0, this, this.#read);
    this.#read = 0;
  }
}
