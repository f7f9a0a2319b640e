import type { Duplex } from "node:stream";
import type { ConnectionStatus, PeerVerifier } from "@dcx/protocol";
import type { InstanceNetwork } from "../runtime/runtime";
import { Doorways } from "./doorways";
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

/** One local workload's end of one connection: a listener in each of its instances, a tunnel to each target. */
export class Source {
  readonly #options: SourceOptions;
  readonly #doorways: Doorways;
  readonly #tunnels = new Map<string, Tunnel>();
  #wanted: WantedSource;
  /** Whether nothing ran any more, at some time, that did not know the connection. */
  #known = false;
  #turn = 0;

  constructor(options: SourceOptions, wanted: WantedSource) {
    this.#options = options;
    this.#wanted = wanted;
    const { network, onChange } = options;
    const { address, port } = wanted;
    this.#doorways = new Doorways({
      network,
      address,
      port,
      onStream: (stream, flows) => void flows.carry(stream, () => this.#open()),
      onChange: () => {
        this.#learn();
        onChange();
      },
    });
    this.apply(wanted);
  }

  /** URI in the certificate of this end. */
  get uri(): string {
    return workloadUri(this.#options.chainId, { datacenter: this.#options.datacenter, ...this.#wanted.source });
  }

  /** `wanted` is of the same connection, source, address and port. */
  apply(wanted: WantedSource): void {
    this.#wanted = wanted;
    const peers = new Map(wanted.targets.map((peer) => [tunnelKey(peer), peer]));
    for (const [key, tunnel] of this.#tunnels) {
      if (!peers.has(key)) {
        this.#tunnels.delete(key);
        // Its lease was replaced, and the successor serves: what was begun there may end there.
        if (peers.size > 0) tunnel.retire(retirePatience);
        else tunnel.close();
      }
    }
    for (const [key, peer] of peers) {
      const tunnel = this.#tunnels.get(key);
      if (tunnel === undefined) {
        this.#tunnels.set(key, this.#tunnel(peer));
      } else {
        tunnel.trust(peer.roots);
      }
    }
    this.#doorways.apply(wanted.instances);
    this.#learn();
    this.#askStale();
  }

  /** Opens what is not open: an instance may not have had its network yet, or may have a new one. */
  check(): void {
    this.#doorways.check();
    this.#askStale();
  }

  #askStale(): void {
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

  /** Why the connection is not known inside: an instance that was started without it does not know the target's name. */
  get #unknownInside(): string | undefined {
    const { current, older = false } = this.#wanted;
    if (this.#known || current === undefined) return undefined;
    if (!this.#doorways.isOpenInOneOf(current)) return "no instance of the source has started with this connection yet";
    return older ? "an instance of the source that was started before this connection still runs" : undefined;
  }

  /** Once it is known inside it stays so: the older instances of a later version know it too. */
  #learn(): void {
    this.#known ||= this.#wanted.current !== undefined && this.#unknownInside === undefined;
  }

  /** The certificate of this end is a new one. */
  renew(): void {
    for (const tunnel of this.#tunnels.values()) {
      tunnel.renew();
    }
  }

  /** PEM of this end's certificate in each tunnel that stands. */
  presented(): readonly string[] {
    return [...this.#tunnels.values()].flatMap((tunnel) => tunnel.presented());
  }

  status(): ConnectionStatus {
    const tunnels = [...this.#tunnels.values()];
    const message =
      tunnels.length === 0
        ? "the target runs nowhere yet"
        : !tunnels.some(({ accepts }) => accepts)
          ? tunnels.map((tunnel) => tunnel.message).join("; ")
          : this.#doorways.size === 0
            ? "no instance of the source runs yet"
            : (this.#doorways.problem ??
              (this.#staleEntries ? "the target does not run its newest version yet" : this.#unknownInside));
    return { role: "source", established: message === undefined, ...(message === undefined ? {} : { message }) };
  }

  close(): void {
    this.#doorways.close();
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

/** Of one tunnel as long as it leads to the same end: its roots may change meanwhile. */
function tunnelKey({ addresses, datacenter, lease, workload }: TargetPeer): string {
  return JSON.stringify([datacenter, lease, workload, addresses]);
}
