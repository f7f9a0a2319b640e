import { Socket } from "node:net";
import type { Duplex } from "node:stream";
import { TLSSocket } from "node:tls";
import { carriedPiece } from "./carried-pieces";

/**
 * Joins two streams into one flow: back pressure and half-close go through, and so does an abort, which must not look
 * like an orderly end. Resolves when both are closed. Never rejects.
 */
export function splice(one: Duplex, other: Duplex): Promise<void> {
  return Promise.all([lead(one, other), lead(other, one)]).then(() => undefined);
}

function lead(from: Duplex, to: Duplex): Promise<void> {
  return new Promise((resolve) => {
    // What goes wrong shows as a close without an end.
    from.on("error", () => undefined);
    const ended = (): void => {
      if (!to.destroyed) to.end();
    };
    // A socket that has nothing to read says that it ended to whoever listens then: the other one may not have been there yet.
    if (from.readableEnded) {
      ended();
    } else {
      from.on("end", ended);
    }
    const closed = () => {
      if (!from.readableEnded || !from.writableFinished) {
        abort(to);
      }
      resolve();
    };
    if (from.closed) {
      closed();
      return;
    }
    from.once("close", closed);
    pump(from, to);
  });
}

/**
 * What comes is written, with back pressure. Tunnels hand a lot over in many small pieces: those that come in one turn of
 * the event loop, after the first, go out to a socket in one system call.
 */
function pump(from: Duplex, to: Duplex): void {
  let writtenIn = -1;
  const resume = (): void => void from.resume();
  from.on("data", (data: Buffer) => {
    carriedPiece(data.length);
    if (to instanceof Socket) {
      const now = turns.now();
      if (writtenIn === now && to.writableCorked === 0) turns.cork(to);
      writtenIn = now;
    }
    if (!to.write(data)) {
      from.pause();
      to.once("drain", resume);
    }
  });
}

/** Turns of the event loop, all flows' together: each would need a callback of its own otherwise. */
class Turns {
  #number = 0;
  #known = false;
  #corked: Socket[] = [];

  now(): number {
    if (!this.#known) {
      this.#known = true;
      setImmediate(this.#ends);
    }
    return this.#number;
  }

  /** Until this one ends. */
  cork(socket: Socket): void {
    socket.cork();
    this.#corked.push(socket);
  }

  readonly #ends = (): void => {
    this.#number += 1;
    this.#known = false;
    const corked = this.#corked;
    if (corked.length === 0) return;
    this.#corked = [];
    for (const socket of corked) socket.uncork();
  };
}

const turns = new Turns();

const carriers = new WeakMap<Duplex, Socket>();

/** Says which TCP socket a TLS stream is in: an abort has to reset that one, for the end of a TCP stream passes as an end. */
export function carriedBy(stream: Duplex, socket: Socket): void {
  carriers.set(stream, socket);
}

/** Ends a stream so that its other side knows that something is missing. */
export function abort(stream: Duplex): void {
  if (stream.destroyed) {
    return;
  }
  const carrier = carriers.get(stream);
  if (carrier !== undefined) {
    carrier.resetAndDestroy();
    stream.destroy();
  } else if (stream instanceof Socket && !(stream instanceof TLSSocket)) {
    stream.resetAndDestroy();
  } else {
    // Whoever holds a stream here listens for errors.
    stream.destroy(new Error("the flow was cut"));
  }
}
