import type { Duplex } from "node:stream";
import { type Header, headerLength, writeHeader } from "./frames";

/** Bytes that wait for the connection before streams are to wait. */
const mostWaiting = 256 * 1024;
/** Up to how many bytes of data are copied to be written with what is before and after them. */
const mostCopied = 4 * 1024;
/** Frames that travel together: with more the other end, which could have begun, would be idle meanwhile. */
const mostTogether = 8;

interface Frame {
  readonly header: Header;
  readonly data?: Buffer;
}

/** Frames on their way out: those of one turn of the event loop are written together, some at a time. */
export class Outbox {
  readonly #connection: Duplex;
  readonly #onDrain: () => void;
  #frames: Frame[] = [];
  #size = 0;
  #due = false;
  #full = false;
  readonly #turnEnds = (): void => {
    this.#due = false;
    this.flush();
  };

  /** @param onDrain called when `full` is no longer so */
  constructor(connection: Duplex, onDrain: () => void) {
    this.#connection = connection;
    this.#onDrain = onDrain;
    connection.on("drain", () => this.#fill(false));
  }

  /** Whether data is to wait. */
  get full(): boolean {
    return this.#full;
  }

  /** Bytes that wait here and in the connection. */
  get waiting(): number {
    return this.#size + this.#connection.writableLength;
  }

  add(header: Header, data?: Buffer): void {
    this.#frames.push(data === undefined ? { header } : { header, data });
    this.#size += headerLength + (data?.length ?? 0);
    if (this.#size >= mostWaiting) this.#full = true;
    if (this.#frames.length >= mostTogether) {
      this.flush();
    } else if (!this.#due) {
      this.#due = true;
      setImmediate(this.#turnEnds);
    }
  }

  /** Writes what there is. */
  flush(): void {
    if (this.#size === 0 || this.#connection.destroyed || this.#connection.writableEnded) return;
    const frames = this.#frames;
    this.#frames = [];
    this.#size = 0;
    const passed = this.#write(frames);
    this.#fill(!passed && this.#connection.writableLength >= mostWaiting);
  }

  #fill(full: boolean): void {
    const before = this.#full;
    this.#full = full;
    if (before && !full) this.#onDrain();
  }

  /** Headers and small data in one piece, large data as it is. */
  #write(frames: readonly Frame[]): boolean {
    const isCopied = (data: Buffer | undefined): data is Buffer => data !== undefined && data.length <= mostCopied;
    let size = 0;
    for (const { data } of frames) size += headerLength + (isCopied(data) ? data.length : 0);
    const copied = Buffer.allocUnsafe(size);
    let [start, at, passed] = [0, 0, true];
    this.#connection.cork();
    for (const { header, data } of frames) {
      writeHeader(copied, at, header);
      at += headerLength;
      if (isCopied(data)) {
        copied.set(data, at);
        at += data.length;
      } else if (data !== undefined) {
        this.#connection.write(copied.subarray(start, at));
        passed = this.#connection.write(data);
        start = at;
      }
    }
    if (at > start) passed = this.#connection.write(start === 0 ? copied : copied.subarray(start));
    this.#connection.uncork();
    return passed;
  }
}
