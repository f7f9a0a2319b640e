import { once } from "node:events";
import { type AddressInfo, createServer, type Server } from "node:net";
import type { Duplex } from "node:stream";
import type { ConnectionStatus } from "@dcx/protocol";
import { Flows } from "./flows";
import type { OverlayLogger, WantedIngress } from "./overlay";
import type { RememberedPorts } from "./ports";
import { dialInTurn } from "./tunnel-server";

export interface IngressOptions {
  readonly listen: string;
  /** In the address that people get. */
  readonly host: string;
  readonly ports: RememberedPorts;
  readonly dial: (instance: string, port: number) => Promise<Duplex>;
  readonly logger: OverlayLogger;
  readonly onChange: () => void;
}

/** A global connection: one port of this datacenter's, open to everyone, that leads to the instances that are ready. */
export class Ingress {
  readonly #options: IngressOptions;
  readonly #flows = new Flows();
  readonly #server: Server;
  #wanted: WantedIngress;
  #port: number | undefined;
  #message = "its port is not open yet";
  #turn = 0;
  #closed = false;

  constructor(options: IngressOptions, wanted: WantedIngress) {
    this.#options = options;
    this.#wanted = wanted;
    this.#server = createServer({ allowHalfOpen: true, noDelay: true, keepAlive: true }, (socket) => {
      void this.#flows.carry(socket, () => {
        const { instances, port } = this.#wanted;
        const ends = instances.map((instance) => ({ instance, port }));
        return dialInTurn(ends, this.#turn++, this.#options.dial);
      });
    });
    void this.#listen();
  }

  apply(wanted: WantedIngress): void {
    this.#wanted = wanted;
  }

  status(): ConnectionStatus {
    if (this.#port === undefined) {
      return { role: "ingress", established: false, message: this.#message };
    }
    const host = this.#options.host.includes(":") ? `[${this.#options.host}]` : this.#options.host;
    const address = `http://${host}:${this.#port}`;
    return this.#wanted.instances.length > 0
      ? { role: "ingress", established: true, address }
      : { role: "ingress", established: false, address, message: "no instance of the target is ready" };
  }

  close(): void {
    this.#closed = true;
    this.#flows.cut();
    this.#server.close();
  }

  async #listen(): Promise<void> {
    const { connection } = this.#wanted;
    const { listen, logger, onChange, ports } = this.#options;
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
        this.#message = `its port can't be opened: ${error instanceof Error ? error.message : error}`;
        logger.warn({ connection, port, reason: this.#message }, "an ingress has to take another port");
      }
    }
    onChange();
  }
}
