import { createServer, type Server, type Socket } from "node:net";
import { Request, Response } from "cosmjs-types/tendermint/abci/types";
import { answer, type Served } from "./answer";
import { FrameReader, FramingError, frame } from "./framing";

// A block of the most bytes that CometBFT knows of (100 MiB), with what else is in a request.
const mostBytes = 128 * 1024 * 1024;

export interface AbciServer {
  /** Ends all connections and frees the address. */
  close(): Promise<void>;
}

export interface AbciServerOptions {
  /** Path of a Unix socket in a folder that only this user can open: whoever reaches it decides what the chain is. */
  readonly socket: string;
  /**
   * Called once, with what the application threw: it must not be asked again, and the engine has been told to stop.
   */
  readonly onFatal: (error: unknown) => void;
  /** Told of whoever sent what is no request: its connection is ended, and the application was asked nothing. */
  readonly onUnreadable?: (error: FramingError) => void;
}

/** An engine opens four. */
const mostConnections = 32;

/**
 * Serves an application to a consensus engine over ABCI's socket protocol: requests are answered in the order in
 * which they come, each connection (consensus, mempool, queries, snapshots) by itself, and the application, which is
 * synchronous, sees one at a time. Answers are written out at the latest when the engine flushes.
 */
export async function serveAbci(served: Served, options: AbciServerOptions): Promise<AbciServer> {
  const connections = new Set<Socket>();
  let stopped = false;
  const stop = (error: unknown): void => {
    if (stopped) return;
    stopped = true;
    options.onFatal(error);
  };
  const server: Server = createServer((socket) => {
    connections.add(socket);
    const reader = new FrameReader(mostBytes);
    socket.on("data", (chunk) => {
      socket.cork();
      try {
        for (const message of reader.push(chunk)) {
          if (stopped) break;
          socket.write(frame(Response.encode(answer(served, requestOf(message))).finish()));
        }
      } catch (error) {
        const text = error instanceof Error ? error.message : String(error);
        socket.end(frame(Response.encode({ exception: { error: text } }).finish()));
        if (error instanceof FramingError) {
          socket.removeAllListeners("data").resume();
          options.onUnreadable?.(error);
        } else stop(error);
      } finally {
        socket.uncork();
      }
    });
    // The engine went away: it asks again over a new connection once it is back.
    socket.on("error", () => socket.destroy());
    socket.on("close", () => connections.delete(socket));
  });
  server.maxConnections = mostConnections;
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(options.socket, resolve);
  });
  return {
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        for (const socket of connections) socket.destroy();
      }),
  };
}

/** @throws FramingError */
function requestOf(message: Uint8Array): Request {
  try {
    return Request.decode(message);
  } catch (cause) {
    throw new FramingError("what came is no request of ABCI", { cause });
  }
}
