import { constants as cryptoConstants } from "node:crypto";
import { createServer as createTcpServer, type Server, type Socket } from "node:net";
import { createServer, type SecureContext, TLSSocket, type Server as TlsServer } from "node:tls";
import { Guests } from "../../callers/guests";
import { Handshakes } from "../../callers/handshakes";
import { Refusals } from "../../callers/refusals";
import type { IngressLimits, OverlayLogger } from "../overlay";
import { carriedBy } from "../splice";
import { headLength, helloProblem } from "./client-hello";
import type { IngressTraffic } from "./ingress-traffic";

/** Where a host name leads. */
export interface NamedRoute {
  /** Why it takes no stream now. */
  readonly refusal?: string;
  readonly carry: (stream: TLSSocket) => void;
}

export interface TlsFrontOptions {
  /** By a host name in lower case; undefined: nothing has that name. */
  readonly route: (host: string) => NamedRoute | undefined;
  /** The certificate for a host name that has a route. */
  readonly context: (host: string) => Promise<SecureContext>;
  readonly limits: IngressLimits;
  readonly traffic: IngressTraffic;
  readonly logger: OverlayLogger;
}

/**
 * Where TLS for all host names arrives. The server name (SNI) chooses the connection; TLS ends here, and what is inside is
 * carried as it is. Whoever names nothing known, says too much before, or takes too long is refused.
 */
export class TlsFront {
  readonly server: Server;
  readonly #options: TlsFrontOptions;
  readonly #tls: TlsServer;
  readonly #guests: Guests;
  readonly #refusals: Refusals;
  readonly #handshakes: Handshakes;
  readonly #sockets = new Set<Socket>();

  constructor(options: TlsFrontOptions) {
    this.#options = options;
    this.#guests = new Guests(options.limits);
    this.#handshakes = new Handshakes(options.limits.handshake, (socket, reason) => this.#refuse(socket, reason));
    this.#refusals = new Refusals(options.logger);
    this.server = createTcpServer({ allowHalfOpen: true, noDelay: true, keepAlive: true }, (socket) =>
      this.#arrive(socket),
    );
    const context = (name: string): Promise<SecureContext> => this.#context(name);
    // It never listens: sockets are handed to it once they have begun as TLS does.
    this.#tls = createServer({
      minVersion: "TLSv1.2",
      // A resumed session would skip the choice of a certificate.
      secureOptions: cryptoConstants.SSL_OP_NO_TICKET,
      allowHalfOpen: true,
      handshakeTimeout: options.limits.handshake,
      ALPNCallback: ({ protocols }) => chooseProtocol(protocols),
      SNICallback(name, done) {
        // Node calls it on the socket, which says no more where it came from once it is destroyed, unless it has before.
        if (this instanceof TLSSocket) void this.remoteAddress;
        context(name).then(
          (found) => done(null, found),
          (error: Error) => done(error),
        );
      },
    });
    this.#tls.on("secureConnection", (socket) => this.#enter(socket));
    this.#tls.on("tlsClientError", (error: NodeJS.ErrnoException, socket) => {
      // Node tells of one that took too long, and leaves it open.
      if (error.code === "ERR_TLS_HANDSHAKE_TIMEOUT") socket.destroy();
      if (error.code === "ECONNRESET") return;
      const name = error instanceof UnknownHost ? error.host : socket.servername;
      const presented = typeof name === "string" && name !== "" ? `the host name ${name}` : "no host name";
      this.#refused(socket, `${presented}: ${error.message}`);
    });
  }

  close(): void {
    this.server.close();
    for (const socket of this.#sockets) socket.destroy();
  }

  #arrive(socket: Socket): void {
    socket.on("error", () => undefined);
    const reason = this.#guests.admit(socket);
    if (reason !== undefined) {
      this.#refuse(socket, reason);
      return;
    }
    this.#sockets.add(socket);
    socket.once("close", () => this.#sockets.delete(socket));
    this.#handshakes.begin(socket);
    this.#look(socket);
  }

  /** Looks at how it begins, and hands it over as if nobody had. */
  #look(socket: Socket): void {
    const look = (): void => {
      const head: Buffer | null = socket.read(headLength);
      if (head === null) {
        if (socket.readableEnded) socket.destroy();
        return;
      }
      socket.off("readable", look);
      socket.off("end", look);
      const problem = helloProblem(head);
      if (problem === undefined) {
        socket.unshift(head);
        this.#tls.emit("connection", socket);
      } else {
        this.#refuse(socket, problem);
      }
    };
    socket.on("readable", look);
    socket.on("end", look);
  }

  #enter(stream: TLSSocket): void {
    stream.on("error", () => undefined);
    const socket = this.#handshakes.done(stream);
    const route = this.#options.route(hostOf(stream.servername));
    if (socket === undefined || route === undefined) {
      stream.destroy();
      return;
    }
    carriedBy(stream, socket);
    if (route.refusal === undefined) {
      this.#options.traffic.admitted("name", stream);
      route.carry(stream);
    } else this.#refuse(socket, `the host name ${hostOf(stream.servername)}: ${route.refusal}`);
  }

  async #context(name: string): Promise<SecureContext> {
    const host = hostOf(name);
    if (this.#options.route(host) === undefined) throw new UnknownHost(host);
    return this.#options.context(host);
  }

  #refused({ remoteAddress: from }: Socket, reason: string): void {
    this.#options.traffic.refused("name");
    this.#refusals.log({ from, reason }, refused);
  }

  #refuse(socket: Socket, reason: string): void {
    this.#refused(socket, reason);
    if (!socket.destroyed) socket.resetAndDestroy();
  }
}

const refused = "a connection to a host name was refused";

class UnknownHost extends Error {
  constructor(readonly host: string) {
    super("no connection that is served here has this name");
  }
}

/**
 * Of what a client offers to speak, what a target most likely does: there is one byte stream, and no translation. Who asks for
 * HTTP/2 alone, as gRPC does, gets it. Nobody validates a host name for a certificate by TLS here (RFC 8737).
 */
function chooseProtocol(offered: readonly string[]): string | undefined {
  const others = offered.filter((protocol) => protocol !== "acme-tls/1");
  return others.includes("http/1.1") ? "http/1.1" : others[0];
}

function hostOf(name: unknown): string {
  return typeof name === "string" ? name.toLowerCase() : "";
}
