import { once } from "node:events";
import { type AddressInfo, createServer, type Server, type Socket } from "node:net";
import type { Duplex } from "node:stream";
import { type GuestLimits, Guests } from "../../callers/guests";
import { Refusals } from "../../callers/refusals";
import { Flows } from "../flows";
import type { OverlayLogger } from "../overlay";
import type { RememberedPorts } from "../ports";
import type { IngressTraffic } from "./ingress-traffic";

export interface RawPortOptions {
  readonly connection: string;
  readonly listen: string;
  /** In the address that people get. */
  readonly host: string;
  readonly ports: RememberedPorts;
  readonly limits: GuestLimits;
  readonly traffic: IngressTraffic;
  readonly open: () => Promise<Duplex>;
  readonly logger: OverlayLogger;
  readonly onChange: () => void;
}

/** A port of this datacenter's for one global connection: what arrives there is carried as it is. */
export class RawPort {
  readonly #options: RawPortOptions;
  readonly #flows = new Flows();
  readonly #guests: Guests;
  readonly #refusals: Refusals;
  readonly #server: Server;
  #port: number | undefined;
  #closed = false;
  /** Why there is none. */
  message = "its port is not open yet";

  constructor(options: RawPortOptions) {
    this.#options = options;
    this.#guests = new Guests(options.limits);
    this.#refusals = new Refusals(options.logger);
    this.#server = createServer({ allowHalfOpen: true, noDelay: true, keepAlive: true }, (socket) =>
      this.#arrive(socket),
    );
    void this.#listen();
  }

  /** `host:port`; undefined: it is not open. */
  get address(): string | undefined {
    if (this.#port === undefined) return undefined;
    const { host } = this.#options;
    return `${host.includes(":") ? `[${host}]` : host}:${this.#port}`;
  }

  close(): void {
    this.#closed = true;
    this.#flows.cut();
    this.#server.close();
  }

  #arrive(socket: Socket): void {
    const { connection, open, traffic } = this.#options;
    const reason = this.#guests.admit(socket);
    if (reason === undefined) {
      traffic.admitted("port", socket);
      void this.#flows.carry(socket, open);
      return;
    }
    traffic.refused("port");
    const details = { connection, from: socket.remoteAddress, reason };
    this.#refusals.log(details, "a connection to a raw port was refused");
    socket.on("error", () => undefined).resetAndDestroy();
  }

  async #listen(): Promise<void> {
    const { connection, listen, logger, onChange, ports } = this.#options;
    const remembered = ports.ingress(connection);
    for (const port of remembered === undefined ? [0] : [remembered, 0]) {
      try {
        this.#server.listen({ host: listen, port, backlog: 1024 });
        await once(this.#server, "listening");
        if (this.#closed) {
          this.#server.close();
          return;
        }
        this.#port = (this.#server.address() as AddressInfo).port;
        this.#server.on("error", (error) => logger.warn({ connection, error: error.message }, "an ingress failed"));
        ports.setIngress(connection, this.#port);
        onChange();
        return;
      } catch (error) {
        this.message = `its port can't be opened: ${error instanceof Error ? error.message : error}`;
        logger.warn({ connection, port, reason: this.message }, "an ingress has to take another port");
      }
    }
    onChange();
  }
}
