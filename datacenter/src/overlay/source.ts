import type { Duplex } from "node:stream";
import type { ConnectionStatus, PeerVerifier } from "@dcx/protocol";
import type { InnerListener, InstanceNetwork } from "../runtime/runtime";
import { Flows } from "./flows";
import type { Leaves } from "./leaves";
import type { OverlayLogger, TargetPeer, WantedSource } from "./overlay";
import { Tunnel } from "./tunnel";
import { workloadUri } from "./tunnel-name";

export interface SourceOptions {
  readonly chainId: string;
  readonly datacenter: string;
  readonly leaves: Leaves;
  readonly verifier: PeerVerifier;
  readonly network: (instance: string) => Promise<InstanceNetwork>;
  readonly logger: OverlayLogger;
  readonly onChange: () => void;
}

/** How long flows to a target that went go on where there is another one, in milliseconds. */
const retirePatience = 10_000;

interface Doorway {
  readonly flows: Flows;
  network?: InstanceNetwork;
  listener?: InnerListener;
  opening: boolean;
  message: string;
}

/** One local workload's end of one connection: a listener in each of its instances, a tunnel to each target. */
export class Source {
  readonly #options: SourceOptions;
  readonly #doorways = new Map<string, Doorway>();
  readonly #tunnels = new Map<string, Tunnel>();
  #wanted: WantedSource;
  #turn = 0;

  constructor(options: SourceOptions, wanted: WantedSource) {
    this.#options = options;
    this.#wanted = wanted;
    this.apply(wanted);
  }

  /** URI in the certificate of this end. */
  get uri(): string {
    return workloadUri(this.#options.chainId, { datacenter: this.#options.datacenter, ...this.#wanted.source });
  }

  /** `wanted` is of the same connection, source, address and port. */
  apply(wanted: WantedSource): void {
    this.#wanted = wanted;
    const instances = new Set(wanted.instances);
    for (const [instance, doorway] of this.#doorways) {
      if (!instances.has(instance)) {
        this.#doorways.delete(instance);
        shut(doorway);
      }
    }
    for (const instance of instances) {
      if (!this.#doorways.has(instance)) {
        this.#doorways.set(instance, { flows: new Flows(), opening: false, message: "not yet open" });
      }
    }
    const peers = new Map(wanted.targets.map((peer) => [JSON.stringify(peer), peer]));
    for (const [key, tunnel] of this.#tunnels) {
      if (!peers.has(key)) {
        this.#tunnels.delete(key);
        // Its lease was replaced, and the successor serves: what was begun there may end there.
        if (peers.size > 0) tunnel.retire(retirePatience);
        else tunnel.close();
      }
    }
    for (const [key, peer] of peers) {
      if (!this.#tunnels.has(key)) {
        this.#tunnels.set(key, this.#tunnel(peer));
      }
    }
    this.check();
  }

  /** Opens what is not open: an instance may not have had its network yet, or may have a new one. */
  check(): void {
    for (const [instance, doorway] of this.#doorways) {
      void this.#openDoorway(instance, doorway);
    }
    if (this.#staleEntries) {
      for (const tunnel of this.#tunnels.values()) {
        tunnel.ask();
      }
    }
  }

  /** Whether every target that accepts ran something else than it is to run when it was last asked. */
  get #staleEntries(): boolean {
    const { entry } = this.#wanted;
    const accepting = [...this.#tunnels.values()].filter(({ accepts }) => accepts);
    return entry !== undefined && accepting.length > 0 && !accepting.some((tunnel) => tunnel.entry === entry);
  }

  /** The certificate of this end is a new one. */
  renew(): void {
    for (const tunnel of this.#tunnels.values()) {
      tunnel.renew();
    }
  }

  status(): ConnectionStatus {
    const tunnels = [...this.#tunnels.values()];
    const shutDoorway = [...this.#doorways.values()].find(({ listener }) => listener === undefined);
    const message =
      tunnels.length === 0
        ? "the target runs nowhere yet"
        : !tunnels.some(({ accepts }) => accepts)
          ? tunnels.map((tunnel) => tunnel.message).join("; ")
          : this.#doorways.size === 0
            ? "no instance of the source runs yet"
            : (shutDoorway?.message ??
              (this.#staleEntries ? "the target does not run its newest version yet" : undefined));
    return { role: "source", established: message === undefined, ...(message === undefined ? {} : { message }) };
  }

  close(): void {
    for (const doorway of this.#doorways.values()) {
      shut(doorway);
    }
    this.#doorways.clear();
    for (const tunnel of this.#tunnels.values()) {
      tunnel.close();
    }
    this.#tunnels.clear();
  }

  #tunnel(peer: TargetPeer): Tunnel {
    const { chainId, leaves, logger, onChange, verifier } = this.#options;
    const { connection } = this.#wanted;
    return new Tunnel({ chainId, connection, source: this.uri, peer, leaves, verifier, logger, onChange });
  }

  async #openDoorway(instance: string, doorway: Doorway): Promise<void> {
    if (doorway.opening) {
      return;
    }
    doorway.opening = true;
    const { address, port } = this.#wanted;
    try {
      const network = await this.#options.network(instance);
      if (network === doorway.network && doorway.listener !== undefined) {
        return;
      }
      await doorway.listener?.close();
      delete doorway.listener;
      const listener = await network.listen(address, port, (stream) => {
        void doorway.flows.carry(stream, () => this.#open());
      });
      if (this.#doorways.get(instance) !== doorway) {
        await listener.close();
        return;
      }
      doorway.network = network;
      doorway.listener = listener;
      this.#options.onChange();
    } catch (error) {
      doorway.message = `${address}:${port} can't be opened in ${instance}: ${error instanceof Error ? error.message : error}`;
      this.#options.onChange();
    } finally {
      doorway.opening = false;
    }
  }

  /** Takes the tunnels in turn, those whose target accepts first. */
  async #open(): Promise<Duplex> {
    const tunnels = [...this.#tunnels.values()];
    const turn = this.#turn++;
    const inTurn = tunnels
      .map((_, offset) => tunnels[(turn + offset) % tunnels.length])
      .filter((each) => each !== undefined);
    const ordered = [...inTurn.filter(({ accepts }) => accepts), ...inTurn.filter(({ accepts }) => !accepts)];
    let reason: unknown = new Error("the target runs nowhere yet");
    for (const tunnel of ordered) {
      try {
        return await tunnel.open();
      } catch (error) {
        reason = error;
      }
    }
    throw reason;
  }
}

function shut(doorway: Doorway): void {
  doorway.flows.cut();
  doorway.listener?.close().catch(() => undefined);
}
