import type { Duplex } from "node:stream";
import type { ConnectionStatus } from "@dcx/protocol";
import type { GuestLimits } from "../../callers/guests";
import type { OverlayLogger, WantedIngress } from "../overlay";
import type { RememberedPorts } from "../ports";
import { dialInTurn } from "../tunnel-server";
import type { IngressTraffic } from "./ingress-traffic";
import type { NamedIngress } from "./named-ingress";
import { RawPort } from "./raw-port";

export interface IngressOptions {
  readonly listen: string;
  /** In the address that people get. */
  readonly host: string;
  readonly ports: RememberedPorts;
  /** Whether there is a port too where there are host names. */
  readonly rawPorts: boolean;
  /** At its port. */
  readonly limits: GuestLimits;
  readonly traffic: IngressTraffic;
  /** Absent: connections have ports only. */
  readonly named?: NamedIngress;
  readonly dial: (instance: string, port: number) => Promise<Duplex>;
  readonly logger: OverlayLogger;
  readonly onChange: () => void;
}

/**
 * A global connection: host names and one port of this datacenter's, open to everyone, that lead to the instances that are
 * ready. It is established once one of them has accepted a connection.
 */
export class Ingress {
  readonly #options: IngressOptions;
  /** Absent: it is reached by host names alone. */
  readonly #port: RawPort | undefined;
  #wanted: WantedIngress;
  #turn = 0;
  /** Instances that have accepted a connection. */
  readonly #accepting = new Set<string>();
  #probing = false;
  #closed = false;

  constructor(options: IngressOptions, wanted: WantedIngress) {
    this.#options = options;
    this.#wanted = wanted;
    const { connection } = wanted;
    const { named, rawPorts } = options;
    this.#port =
      named === undefined || rawPorts ? new RawPort({ ...options, connection, open: () => this.#open() }) : undefined;
    this.#name();
    void this.#probe();
  }

  apply(wanted: WantedIngress): void {
    this.#wanted = wanted;
    for (const instance of this.#accepting) {
      if (!wanted.instances.includes(instance)) this.#accepting.delete(instance);
    }
    this.#name();
    void this.#probe();
  }

  /** Asks again where nothing has accepted yet: workloads begin in any order. */
  check(): void {
    void this.#probe();
  }

  status(): ConnectionStatus {
    const { connection, instances, port } = this.#wanted;
    const rawAddress = this.#port?.address;
    const named = this.#options.named?.describe(connection);
    const address = named?.address ?? (rawAddress === undefined ? undefined : `http://${rawAddress}`);
    if (address === undefined) {
      return { role: "ingress", established: false, message: this.#port?.message ?? "it has no host name yet" };
    }
    const places = {
      address,
      ...(named === undefined || rawAddress === undefined ? {} : { rawAddress }),
      ...(named?.hosts === undefined ? {} : { hosts: named.hosts }),
    };
    if (this.#accepting.size > 0) {
      return { role: "ingress", established: true, ...places };
    }
    const message =
      instances.length === 0 ? "no instance of the target is ready" : `the target does not accept on port ${port} yet`;
    return { role: "ingress", established: false, ...places, message };
  }

  close(): void {
    this.#closed = true;
    this.#options.named?.remove(this.#wanted.connection);
    this.#port?.close();
  }

  #name(): void {
    const { connection, hosts = [] } = this.#wanted;
    this.#options.named?.set(connection, { hosts, open: () => this.#open() });
  }

  /** A stream to an instance that accepts one, in turn. */
  #open(): Promise<Duplex> {
    const { instances, port } = this.#wanted;
    const ends = instances.map((instance) => ({ instance, port }));
    return dialInTurn(ends, this.#turn++, this.#options.dial);
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
}
