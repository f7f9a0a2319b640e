import { once } from "node:events";
import { type AddressInfo, createServer, type Server } from "node:net";
import type { Duplex } from "node:stream";
import { Flows } from "../flows";
import type { OverlayLogger } from "../overlay";
import type { RememberedPorts } from "../ports";

export interface RawPortOptions {
  readonly connection: string;
  readonly listen: string;
  /** In the address that people get. */
  readonly host: string;
  readonly ports: RememberedPorts;
  /** Connections at a time. */
  readonly connections: number;
  readonly open: () => Promise<Duplex>;
  readonly logger: OverlayLogger;
  readonly onChange: () => void;
}

/** A port of this datacenter's for one global connection: what arrives there is carried as it is. */
export class RawPort {
  readonly #options: RawPortOptions;
  readonly #flows = new Flows();
  readonly #server: Server;
  #port: number | undefined;
  #closed = false;
  /** Why there is none. */
  message = "its port is not open yet";

  constructor(options: RawPortOptions) {
    this.#options = options;
    this.#server = createServer({ allowHalfOpen: true, noDelay: true, keepAlive: true }, (socket) => {
      void this.#flows.carry(socket, options.open);
    });
    this.#server.maxConnections = options.connections;
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
