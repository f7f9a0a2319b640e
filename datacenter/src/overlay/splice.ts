import { constants } from "node:http2";
import { Socket } from "node:net";
import type { Duplex } from "node:stream";
import { TLSSocket } from "node:tls";

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
      if (wasReset(from)) {
        abort(to);
      } else if (!to.destroyed) {
        to.end();
      }
    };
    // A socket that has nothing to read says that it ended to whoever listens then: the other one may not have been there yet.
    if (from.readableEnded) {
      ended();
    } else {
      from.on("end", ended);
    }
    const closed = () => {
      if (!from.readableEnded || wasReset(from) || !from.writableFinished) {
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
 * What comes is written, with back pressure. HTTP/2 hands a lot over in many small pieces: those that come in one turn of
 * the event loop, after the first, go out to a socket in one system call.
 */
function pump(from: Duplex, to: Duplex): void {
  let sameTurn = false;
  let corked = false;
  const turnEnds = (): void => {
    sameTurn = false;
    if (corked) {
      corked = false;
      to.uncork();
    }
  };
  from.on("data", (data) => {
    if (sameTurn && !corked && to instanceof Socket) {
      corked = true;
      to.cork();
    }
    if (!sameTurn) {
      sameTurn = true;
      setImmediate(turnEnds);
    }
    if (!to.write(data)) {
      from.pause();
      to.once("drain", () => from.resume());
    }
  });
}

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
    // Without an error HTTP/2 would first say that the stream ended. Whoever holds a stream here listens for errors.
    stream.destroy(new Error("the flow was cut"));
  }
}

/** A reset stream of HTTP/2 also ends: only its code tells. */
function wasReset(stream: Duplex): boolean {
  return "rstCode" in stream && stream.rstCode !== undefined && stream.rstCode !== constants.NGHTTP2_NO_ERROR;
}
