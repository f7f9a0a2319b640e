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

/**
 * A global connection: one port of this datacenter's, open to everyone, that leads to the instances that are ready. It is
 * established once one of them has accepted a connection.
 */
export class Ingress {
  readonly #options: IngressOptions;
  readonly #flows = new Flows();
  readonly #server: Server;
  #wanted: WantedIngress;
  #port: number | undefined;
  #message = "its port is not open yet";
  #turn = 0;
  /** Instances that have accepted a connection. */
  readonly #accepting = new Set<string>();
  #probing = false;
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
    void this.#probe();
  }

  apply(wanted: WantedIngress): void {
    this.#wanted = wanted;
    for (const instance of this.#accepting) {
      if (!wanted.instances.includes(instance)) this.#accepting.delete(instance);
    }
    void this.#probe();
  }

  /** Asks again where nothing has accepted yet: workloads begin in any order. */
  check(): void {
    void this.#probe();
  }

  status(): ConnectionStatus {
    if (this.#port === undefined) {
      return { role: "ingress", established: false, message: this.#message };
    }
    const host = this.#options.host.includes(":") ? `[${this.#options.host}]` : this.#options.host;
    const address = `http://${host}:${this.#port}`;
    if (this.#accepting.size > 0) {
      return { role: "ingress", established: true, address };
    }
    const { instances, port } = this.#wanted;
    const message =
      instances.length === 0 ? "no instance of the target is ready" : `the target does not accept on port ${port} yet`;
    return { role: "ingress", established: false, address, message };
  }

  close(): void {
    this.#closed = true;
    this.#flows.cut();
    this.#server.close();
  }

  async #probe(): Promise<void> {
    if (this.#probing || this.#accepting.size > 0) return;
    this.#probing = true;
    const { instances, port } = this.#wanted;
    for (const instance of instances) {
      try {
        const stream = await this.#options.dial(instance, port);
        stream.on("error", () => undefined);
        stream.destroy();
      } catch {
        continue;
      }
      if (this.#wanted.instances.includes(instance)) this.#accepting.add(instance);
      break;
    }
    this.#probing = false;
    if (this.#accepting.size > 0 && !this.#closed) this.#options.onChange();
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
