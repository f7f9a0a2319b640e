import type { Duplex } from "node:stream";
import type { TLSSocket } from "node:tls";
import { MuxSession } from "./mux/mux-session";
import { type Answer, encodeWish, readAnswer, type Wish } from "./tunnel-opening";

/** What the two ends showed of themselves. */
export interface Presented {
  /** Certificate of the other end, DER. */
  readonly leaf: Buffer;
  readonly notAfter: Date;
  /** PEM of the certificate that this end showed. */
  readonly own: string;
}

export interface SessionEvents {
  /** The other end has a new certificate: streams that there are end in this session, new ones need another. */
  readonly onGoAway: () => void;
  readonly onClose: () => void;
}

export interface Opened {
  readonly stream: Duplex;
  /** Rejects, and the stream is closed, when that ends before it or it is none. */
  readonly answer: Promise<Answer>;
}

const pingInterval = 15_000;
const pingPatience = 10_000;
/** Milliseconds that the other end may take to close a connection in which nothing is carried any more. */
const endPatience = 5_000;
/** Milliseconds that the other end may take to answer what was begun in a session before another took its place. */
const answerPatience = 1_000;

/** One session of a tunnel's source end, over a connection whose other end is known to be the right one. */
export class TunnelSession {
  readonly #mux: MuxSession;
  readonly #socket: TLSSocket;
  readonly #unanswered = new Set<Duplex>();

  constructor(
    socket: TLSSocket,
    readonly presented: Presented,
    { onGoAway, onClose }: SessionEvents,
  ) {
    socket.setNoDelay(true);
    socket.setKeepAlive(true, 30_000);
    const pings = setInterval(() => this.#ping(), pingInterval);
    pings.unref();
    this.#mux = new MuxSession(socket, {
      client: true,
      onGoAway,
      onEnding: () => setTimeout(() => socket.destroy(), endPatience).unref(),
      onClose: () => {
        clearInterval(pings);
        onClose();
      },
    });
    this.#socket = socket;
  }

  /** Whether streams may be begun in it. */
  get open(): boolean {
    return this.#mux.open;
  }

  /** Whether it takes streams, or there are some that go on to their end. */
  get carries(): boolean {
    return this.#mux.open || this.#mux.size > 0;
  }

  get destroyed(): boolean {
    return this.#mux.closed;
  }

  /** @throws Error when no streams may be begun in it */
  begin(wish: Wish): Opened {
    const stream = this.#mux.openStream();
    stream.on("error", () => undefined);
    if (wish === "ask") stream.end(encodeWish(wish));
    else stream.write(encodeWish(wish));
    this.#unanswered.add(stream);
    const answer = readAnswer(stream)
      .catch((error: unknown) => {
        stream.destroy();
        throw error;
      })
      .finally(() => this.#unanswered.delete(stream));
    return { stream, answer };
  }

  /** Takes no more streams; those that there are go on to their end, and it ends with the last one. */
  retire(): void {
    this.#mux.end();
  }

  /**
   * Another session has taken its place: `retire`, and what the other end does not answer soon is given up. It may never be,
   * and can be begun again there, for nothing was sent in it yet.
   */
  replaced(): void {
    this.retire();
    const giveUp = () => {
      for (const stream of this.#unanswered) stream.destroy();
    };
    if (this.#unanswered.size > 0) setTimeout(giveUp, answerPatience).unref();
  }

  /** Ends it with its streams. */
  cut(): void {
    this.#mux.destroy();
    this.#socket.destroy();
  }

  /** A path that went dead without a word shows within half a minute. */
  #ping(): void {
    if (this.#mux.closed) return;
    const timer = setTimeout(() => this.cut(), pingPatience);
    timer.unref();
    this.#mux.ping(() => clearTimeout(timer));
  }
}
