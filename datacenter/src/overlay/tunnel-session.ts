import {
  type ClientHttp2Session,
  type ClientHttp2Stream,
  type ClientSessionRequestOptions,
  connect as connectHttp2,
  constants,
  type OutgoingHttpHeaders,
} from "node:http2";
import type { TLSSocket } from "node:tls";
import { tunnelSettings, tunnelWindow } from "./tunnel-server";

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

const pingInterval = 15_000;
const pingPatience = 10_000;
/** Milliseconds that the other end may take to close a connection in which nothing is carried any more. */
const endPatience = 5_000;
/** Milliseconds that the other end may take to answer what was begun in a session before another took its place. */
const answerPatience = 1_000;

/** One session of a tunnel's source end, over a connection whose other end is known to be the right one. */
export class TunnelSession {
  readonly #http: ClientHttp2Session;
  readonly #socket: TLSSocket;
  readonly #unanswered = new Set<ClientHttp2Stream>();
  #streams = 0;

  constructor(
    socket: TLSSocket,
    readonly presented: Presented,
    { onGoAway, onClose }: SessionEvents,
  ) {
    socket.setNoDelay(true);
    socket.setKeepAlive(true, 30_000);
    const http = connectHttp2("https://tunnel.dcx", { ...tunnelSettings, createConnection: () => socket });
    http.once("connect", () => {
      // It may have been cut meanwhile.
      if (!http.destroyed) http.setLocalWindowSize(tunnelWindow);
    });
    http.on("error", () => undefined);
    http.once("goaway", (code) => {
      if (code === constants.NGHTTP2_NO_ERROR) onGoAway();
    });
    const pings = setInterval(() => this.#ping(), pingInterval);
    pings.unref();
    http.once("close", () => {
      clearInterval(pings);
      onClose();
    });
    this.#http = http;
    this.#socket = socket;
  }

  /** Whether streams may be begun in it. */
  get open(): boolean {
    return !this.#http.closed && !this.#http.destroyed;
  }

  /** Whether it takes streams, or there are some that go on to their end. */
  get carries(): boolean {
    return this.open || this.#streams > 0;
  }

  get destroyed(): boolean {
    return this.#http.destroyed;
  }

  request(headers: OutgoingHttpHeaders, options: ClientSessionRequestOptions): ClientHttp2Stream {
    const stream = this.#http.request(headers, options);
    this.#streams += 1;
    this.#unanswered.add(stream);
    stream.once("response", () => this.#unanswered.delete(stream));
    stream.once("close", () => {
      this.#unanswered.delete(stream);
      this.#streams -= 1;
      this.#endUnused();
    });
    return stream;
  }

  /** Takes no more streams; those that there are go on to their end, and it ends with the last one. */
  retire(): void {
    this.#http.close();
    this.#endUnused();
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

  /** Ends it with its streams. Without an error these would seem to have come to their end. */
  cut(): void {
    this.#http.destroy(new Error("the tunnel was cut"));
    this.#socket.destroy();
  }

  /**
   * HTTP/2 says goodbye and waits for the other end to close the connection. One that never does, or does not hear of it,
   * would be kept for ever.
   */
  #endUnused(): void {
    if (!this.carries) setTimeout(() => this.#socket.destroy(), endPatience).unref();
  }

  /** A path that went dead without a word shows within half a minute. */
  #ping(): void {
    if (this.#http.destroyed) return;
    const timer = setTimeout(() => this.cut(), pingPatience);
    timer.unref();
    this.#http.ping(() => clearTimeout(timer));
  }
}
