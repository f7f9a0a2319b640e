import { constants as cryptoConstants } from "node:crypto";
import { once } from "node:events";
import { type AddressInfo, createServer as createTcpServer, type Server, type Socket } from "node:net";
import { createServer, type SecureContext, TLSSocket, type Server as TlsServer } from "node:tls";
import { Guests } from "../callers/guests";
import { Handshakes } from "../callers/handshakes";
import { type RefusalDetails, Refusals } from "../callers/refusals";
import type { OverlayLogger, TunnelLimits } from "./overlay";
import { tunnelProtocol } from "./tunnel-opening";

export interface TunnelDoorOptions {
  readonly limits: TunnelLimits;
  /** The certificate for a tunnel name. Undefined: nothing has that name. */
  readonly context: (name: string) => Promise<SecureContext> | undefined;
  /** Who has finished a handshake, whatever certificate was shown in it. */
  readonly enter: (socket: TLSSocket) => void;
  readonly logger: OverlayLogger;
}

/** Session tickets would let an expired certificate in again. */
export const tlsOptions = {
  minVersion: "TLSv1.3",
  secureOptions: cryptoConstants.SSL_OP_NO_TICKET,
  ALPNProtocols: [tunnelProtocol],
} as const;

/**
 * The port of tunnels, until a caller has finished the handshake of TLS: so many at a time, a share of them from one
 * address, none for long. Where there are as many as there may be, the first to come makes place: who has a part in a
 * connection needs a moment, and is not kept out by those who hold places.
 */
export class TunnelDoor {
  readonly #options: TunnelDoorOptions;
  readonly #server: Server;
  readonly #tls: TlsServer;
  readonly #strangers: Guests;
  readonly #handshakes: Handshakes;
  readonly #refusals: Refusals;
  readonly #sockets = new Set<Socket>();
  #refused = 0;

  constructor(options: TunnelDoorOptions) {
    this.#options = options;
    const { handshakeTimeout, handshakesPerAddress } = options.limits;
    this.#strangers = new Guests({
      connections: Number.POSITIVE_INFINITY,
      connectionsPerAddress: handshakesPerAddress,
    });
    this.#handshakes = new Handshakes(handshakeTimeout, (socket, reason) => this.#turnAway(socket, reason));
    this.#refusals = new Refusals(options.logger);
    this.#server = createTcpServer((socket) => this.#arrive(socket));
    const context = (name: string) => this.#context(name);
    // It never listens: sockets are handed to it once they are let in.
    this.#tls = createServer({
      ...tlsOptions,
      requestCert: true,
      // Later than it is turned away, so that nobody is twice.
      handshakeTimeout: 2 * handshakeTimeout,
      // Who is let in is decided afterwards, against the roots and the identity of this one connection's sources.
      rejectUnauthorized: false,
      SNICallback(name, done) {
        // Node calls it on the socket, which says no more where it came from once it is destroyed, unless it has before.
        if (this instanceof TLSSocket) void this.remoteAddress;
        context(name).then(
          (found) => done(null, found),
          (error: Error) => done(error),
        );
      },
    });
    this.#tls.on("tlsClientError", (error, socket) => {
      this.#failed(error, socket);
      socket.destroy();
    });
    this.#tls.on("secureConnection", (stream) => this.#finished(stream));
  }

  /** Who has not finished a handshake. */
  get arriving(): number {
    return this.#strangers.size;
  }

  /** Who was refused since the agent began. */
  get refused(): number {
    return this.#refused;
  }

  /** Rejects when the port is taken. */
  async listen(host: string, port: number): Promise<number> {
    this.#server.listen({ host, port, backlog: 1024 });
    await once(this.#server, "listening");
    return (this.#server.address() as AddressInfo).port;
  }

  /** Counts and logs somebody who was refused. */
  refuse(details: RefusalDetails): void {
    this.#refused += 1;
    this.#refusals.log(details, "a tunnel was refused");
  }

  /** Logs somebody who was let in, and then did what nobody may. */
  cut(details: RefusalDetails): void {
    this.#refusals.log(details, "a tunnel was cut for what came through it");
  }

  /** Ends whatever has come in through it. */
  async close(): Promise<void> {
    const closed = this.#server.listening ? once(this.#server, "close") : undefined;
    this.#server.close();
    for (const socket of this.#sockets) socket.destroy();
    await closed;
  }

  #arrive(socket: Socket): void {
    socket.on("error", () => undefined);
    const reason = this.#strangers.admit(socket);
    if (reason !== undefined) {
      this.#turnAway(socket, `${reason} that have not finished a handshake`);
      return;
    }
    this.#sockets.add(socket);
    socket.once("close", () => this.#sockets.delete(socket));
    this.#makePlace();
    this.#handshakes.begin(socket);
    this.#tls.emit("connection", socket);
  }

  #makePlace(): void {
    const { handshakes } = this.#options.limits;
    const { first } = this.#strangers;
    if (this.#strangers.size <= handshakes || first === undefined) return;
    this.#strangers.leave(first);
    this.#turnAway(first, `it had not finished its handshake when there were more than ${handshakes} like it`);
  }

  #turnAway(socket: Socket, reason: string): void {
    this.refuse({ from: socket.remoteAddress, reason });
    if (!socket.destroyed) socket.resetAndDestroy();
  }

  #finished(stream: TLSSocket): void {
    stream.on("error", () => undefined);
    const socket = this.#handshakes.done(stream);
    if (socket === undefined) {
      stream.destroy();
      return;
    }
    this.#strangers.leave(socket);
    this.#options.enter(stream);
  }

  async #context(name: string): Promise<SecureContext> {
    const context = this.#options.context(name);
    if (context === undefined) throw new UnknownTunnel(name);
    return await context;
  }

  #failed(error: NodeJS.ErrnoException, socket: TLSSocket): void {
    const from = socket.remoteAddress;
    if (error.code === "ECONNRESET") {
      this.#options.logger.debug({ from, reason: error.message }, "a caller went away before there was a tunnel");
      return;
    }
    const name = error instanceof UnknownTunnel ? error.tunnel : socket.servername;
    const presented = typeof name === "string" && name !== "" ? `the tunnel name ${name}` : "no tunnel name";
    this.refuse({ from, reason: error.message, presented });
  }
}

class UnknownTunnel extends Error {
  constructor(readonly tunnel: string) {
    super(`no connection with the tunnel name ${tunnel} leads here`);
  }
}
