import type { Duplex } from "node:stream";
import type { InnerListener, InstanceNetwork } from "../runtime/runtime";
import { Flows } from "./flows";

export interface DoorwayOptions {
  readonly network: (instance: string) => Promise<InstanceNetwork>;
  /** Loopback address inside each instance. */
  readonly address: string;
  readonly port: number;
  /** Takes each stream that a workload opens; `flows` are those of its instance. */
  readonly onStream: (stream: Duplex, flows: Flows, instance: string) => void;
  readonly onChange: () => void;
}

interface Doorway {
  flows: Flows;
  network?: InstanceNetwork;
  listener?: InnerListener;
  opening: boolean;
  message: string;
}

/** A listener at one address and port in each instance of a workload. */
export class Doorways {
  readonly #options: DoorwayOptions;
  readonly #doorways = new Map<string, Doorway>();

  constructor(options: DoorwayOptions) {
    this.#options = options;
  }

  get size(): number {
    return this.#doorways.size;
  }

  /** Whether one of these instances has one that is open. */
  isOpenInOneOf(instances: readonly string[]): boolean {
    return instances.some((instance) => this.#doorways.get(instance)?.listener !== undefined);
  }

  /** Why one of them is not open. Undefined: all are. */
  get problem(): string | undefined {
    return [...this.#doorways.values()].find(({ listener }) => listener === undefined)?.message;
  }

  /** Makes them those of these instances; the flows of others are cut. */
  apply(instances: readonly string[]): void {
    const wanted = new Set(instances);
    for (const [instance, doorway] of this.#doorways) {
      if (!wanted.has(instance)) {
        this.#doorways.delete(instance);
        shut(doorway);
      }
    }
    for (const instance of wanted) {
      if (!this.#doorways.has(instance)) {
        this.#doorways.set(instance, { flows: new Flows(), opening: false, message: "not yet open" });
      }
    }
    this.check();
  }

  /** Opens what is not open: an instance may not have had its network yet, or may have a new one. */
  check(): void {
    for (const [instance, doorway] of this.#doorways) {
      void this.#open(instance, doorway);
    }
  }

  /** Cuts what is open; what comes after is carried. */
  cut(): void {
    for (const doorway of this.#doorways.values()) {
      doorway.flows.cut();
      doorway.flows = new Flows();
    }
  }

  close(): void {
    this.apply([]);
  }

  async #open(instance: string, doorway: Doorway): Promise<void> {
    if (doorway.opening) {
      return;
    }
    doorway.opening = true;
    const { address, port, onChange, onStream } = this.#options;
    try {
      const network = await this.#options.network(instance);
      if (network === doorway.network && doorway.listener !== undefined) {
        return;
      }
      await doorway.listener?.close();
      delete doorway.listener;
      const listener = await network.listen(address, port, (stream) => onStream(stream, doorway.flows, instance));
      if (this.#doorways.get(instance) !== doorway) {
        await listener.close();
        return;
      }
      doorway.network = network;
      doorway.listener = listener;
      onChange();
    } catch (error) {
      doorway.message = `${address}:${port} can't be opened in ${instance}: ${error instanceof Error ? error.message : error}`;
      onChange();
    } finally {
      doorway.opening = false;
    }
  }
}

function shut(doorway: Doorway): void {
  doorway.flows.cut();
  doorway.listener?.close().catch(() => undefined);
}
