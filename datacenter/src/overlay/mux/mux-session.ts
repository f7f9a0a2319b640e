import type { Duplex } from "node:stream";
import { FrameReader, flag, frameType, type Header } from "./frames";
import { firstWindow, MuxStream, type StreamCarrier, streamWindow } from "./mux-stream";
import { Outbox } from "./outbox";

export interface MuxSessionOptions {
  /** The end that opened the connection. */
  readonly client: boolean;
  /** The other end opened a stream. Absent: it may not. */
  readonly onStream?: (stream: MuxStream) => void;
  /** The other end wants no more streams to be opened; those that there are go on. */
  readonly onGoAway?: () => void;
  /** Nothing is carried any more, and this end has closed its direction of the connection. */
  readonly onEnding?: () => void;
  /** @param error what the other end did that it may not; absent: the connection was closed */
  readonly onClose?: (error?: Error) => void;
}

/** Streams that the other end may have open at once. */
const mostStreams = 65_536;
/** Bytes of all streams of a session that were received and not read before no more is read from the connection. */
const mostHeld = 64 * 1024 * 1024;
/** What a piece that waits to be read takes besides its bytes. */
const pieceSize = 256;
/** Bytes that wait to be sent when an end that does not read is given up: data waits before, with its streams. */
const mostWaiting = 4 * 1024 * 1024;
/** Ids of streams are never used again. */
const lastId = 2 ** 32 - 2;

const normalEnd = 0;

/** Many streams in one connection, framed as yamux has it. Both ends know each other: limits are about memory. */
export class MuxSession implements StreamCarrier {
  readonly #connection: Duplex;
  readonly #options: MuxSessionOptions;
  readonly #outbox: Outbox;
  readonly #streams = new Map<number, MuxStream>();
  readonly #blocked = new Set<MuxStream>();
  readonly #pings = new Map<number, () => void>();
  /** What the data that is coming belongs to, and whether that is its last. */
  #receiving: { readonly stream: MuxStream; readonly ends: boolean } | undefined;
  #nextId: number;
  #nextPing = 0;
  #heldBytes = 0;
  #ending = false;
  #closed = false;

  constructor(connection: Duplex, options: MuxSessionOptions) {
    this.#connection = connection;
    this.#options = options;
    this.#nextId = options.client ? 1 : 2;
    this.#outbox = new Outbox(connection, () => this.#drained());
    const reader = new FrameReader({
      onHeader: (header) => this.#received(header),
      onData: (piece, last) => this.#receivedData(piece, last),
    });
    connection.on("data", (chunk: Buffer) => {
      if (this.#closed) return;
      try {
        reader.read(chunk);
      } catch (error) {
        this.#close(error instanceof Error ? error : new Error(String(error)));
      }
    });
    connection.on("error", () => undefined);
    connection.once("end", () => this.#close());
    connection.once("close", () => this.#close());
  }

  /** Streams that are open. */
  get size(): number {
    return this.#streams.size;
  }

  /** Whether streams may be opened. */
  get open(): boolean {
    return !this.#ending && !this.#closed && this.#nextId < lastId;
  }

  get closed(): boolean {
    return this.#closed;
  }

  /** @throws Error when the session is not open */
  openStream(): MuxStream {
    if (!this.open) throw new Error("the session takes no more streams");
    const stream = new MuxStream(this, this.#nextId);
    this.#nextId += 2;
    this.#streams.set(stream.id, stream);
    this.send(frameType.windowUpdate, flag.syn, stream, streamWindow - firstWindow);
    return stream;
  }

  /** Asks the other end to open no more streams. */
  goAway(): void {
    this.#sendOwn({ type: frameType.goAway, flags: 0, length: normalEnd });
  }

  /** Takes no more streams, and ends with the last one that there is. */
  end(): void {
    if (this.#ending || this.#closed) return;
    this.#ending = true;
    this.goAway();
    this.#endUnused();
  }

  /** Ends it with its streams. */
  destroy(): void {
    this.#close();
  }

  /** `answered` is called when the other end has answered. */
  ping(answered: () => void): void {
    const id = this.#nextPing++ >>> 0;
    this.#pings.set(id, answered);
    this.#sendOwn({ type: frameType.ping, flags: flag.syn, length: id });
  }

  get full(): boolean {
    return this.#outbox.full;
  }

  send(type: number, flags: number, { id }: MuxStream, length: number, data?: Buffer): void {
    if (this.#closed) return;
    this.#outbox.add({ type, flags, stream: id, length }, data);
    this.#checkWaiting();
  }

  awaitDrain(stream: MuxStream): void {
    this.#blocked.add(stream);
  }

  consumed(bytes: number, pieces: number): void {
    const before = this.#heldBytes;
    this.#heldBytes -= bytes + pieces * pieceSize;
    if (before > mostHeld && this.#heldBytes <= mostHeld) this.#connection.resume();
  }

  forget(stream: MuxStream): void {
    this.#blocked.delete(stream);
    if (this.#streams.get(stream.id) === stream) this.#streams.delete(stream.id);
    if (this.#receiving?.stream === stream) this.#receiving = undefined;
    this.#endUnused();
  }

  #sendOwn(header: Omit<Header, "stream">): void {
    if (this.#closed) return;
    this.#outbox.add({ ...header, stream: 0 });
    this.#checkWaiting();
  }

  #checkWaiting(): void {
    if (this.#outbox.waiting > mostWaiting) this.#close(new Error("it does not read what is sent to it"));
  }

  #drained(): void {
    for (const stream of [...this.#blocked]) {
      if (this.#outbox.full) return;
      this.#blocked.delete(stream);
      stream.proceed();
    }
  }

  #received(header: Header): void {
    switch (header.type) {
      case frameType.data:
      case frameType.windowUpdate:
        this.#receivedOfStream(header);
        return;
      case frameType.ping:
        this.#receivedPing(header);
        return;
      case frameType.goAway:
        this.#options.onGoAway?.();
        return;
      default:
        throw new Error(`it sends frames of an unknown type, ${header.type}`);
    }
  }

  #receivedOfStream({ type, flags, stream: id, length }: Header): void {
    const stream = (flags & flag.syn) === 0 ? this.#streams.get(id) : this.#accept(id);
    // What comes after a stream was reset here was on its way.
    this.#receiving = undefined;
    if (stream === undefined) return;
    const ends = (flags & flag.fin) !== 0;
    const hasData = type === frameType.data && length > 0;
    if (hasData) {
      if (!stream.admits(length)) throw new Error("it sends more than it may in a stream");
      stream.announced(length);
      this.#receiving = { stream, ends };
    } else if (length > 0) {
      stream.opened(length);
    }
    if ((flags & flag.reset) !== 0) stream.lose(new Error("the other end cut the flow"));
    else if (ends && !hasData) stream.receivedEnd();
  }

  #accept(id: number): MuxStream | undefined {
    const { client, onStream } = this.#options;
    const isTheirs = id !== 0 && id % 2 === (client ? 0 : 1);
    if (!isTheirs || onStream === undefined || this.#streams.has(id)) {
      throw new Error(`it opens a stream that it may not, ${id}`);
    }
    const stream = new MuxStream(this, id);
    if (this.#streams.size >= mostStreams) {
      this.send(frameType.windowUpdate, flag.reset, stream, 0);
      return undefined;
    }
    this.#streams.set(id, stream);
    this.send(frameType.windowUpdate, flag.ack, stream, streamWindow - firstWindow);
    onStream(stream);
    return stream;
  }

  #receivedData(piece: Buffer, last: boolean): void {
    const receiving = this.#receiving;
    if (receiving === undefined) return;
    this.#heldBytes += piece.length + pieceSize;
    receiving.stream.received(piece);
    if (last && receiving.ends) receiving.stream.receivedEnd();
    if (this.#heldBytes > mostHeld) this.#connection.pause();
  }

  #receivedPing({ flags, length }: Header): void {
    if ((flags & flag.syn) !== 0) {
      this.#sendOwn({ type: frameType.ping, flags: flag.ack, length });
      return;
    }
    this.#pings.get(length)?.();
    this.#pings.delete(length);
  }

  #endUnused(): void {
    if (!this.#ending || this.#streams.size > 0 || this.#closed) return;
    this.#outbox.flush();
    this.#connection.end();
    this.#options.onEnding?.();
  }

  #close(error?: Error): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#connection.destroy();
    for (const stream of this.#streams.values()) stream.lose(error ?? new Error("the tunnel broke"));
    this.#streams.clear();
    this.#blocked.clear();
    this.#pings.clear();
    this.#options.onClose?.(error);
  }
}
