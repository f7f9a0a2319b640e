import type { PeerIdentity, WantedConnections, WantedEgress, WantedSource, WantedTarget } from "../overlay/overlay";

/** What of the connections of leases that have ended is still carried, and until when. */
interface Leaving<Wanted> {
  readonly wanted: Wanted;
  /** Milliseconds of a monotonic clock. */
  readonly until: number;
}

/**
 * Lets what a lease's workloads have begun come to its end when the lease does: for a short while its connections are
 * carried as they were, and those of its peers elsewhere are let in. What leaves the manifest is cut at once.
 * design: "Replacing a lease" (make before break).
 */
export class LeavingConnections {
  #before: WantedConnections = { sources: [], targets: [], ingresses: [], egresses: [] };
  readonly #sources = new Map<string, Leaving<WantedSource>>();
  readonly #targets = new Map<string, Leaving<WantedTarget>>();
  readonly #egresses = new Map<string, Leaving<WantedEgress>>();
  readonly #peers = new Map<string, Leaving<PeerIdentity>>();

  /** `grace` in milliseconds. */
  constructor(private readonly grace: number) {}

  /**
   * What the overlay is to carry, given what the chain and the manifests name.
   * @param leases text ids of the leases that are active here
   * @param now milliseconds of a monotonic clock
   */
  with(wired: WantedConnections, leases: ReadonlySet<string>, now: number): WantedConnections {
    const until = now + this.grace;
    for (const source of this.#before.sources) {
      if (!leases.has(source.source.lease)) this.#sources.set(sourceKey(source), { wanted: source, until });
    }
    for (const target of this.#before.targets) {
      if (!leases.has(target.target.lease)) this.#targets.set(targetKey(target), { wanted: target, until });
    }
    for (const egress of this.#before.egresses) {
      const key = JSON.stringify([egress.source.lease, egress.source.workload, egress.address]);
      if (!leases.has(egress.source.lease)) this.#egresses.set(key, { wanted: egress, until });
    }
    this.#notePeers(wired, until);
    this.#before = wired;
    for (const leaving of [this.#sources, this.#targets, this.#egresses, this.#peers]) {
      for (const [key, { until: end }] of leaving) if (end <= now) leaving.delete(key);
    }
    return {
      ...wired,
      sources: [...wired.sources, ...[...this.#sources.values()].map(({ wanted }) => ({ ...wanted, leaving: true }))],
      targets: [
        ...wired.targets.map((target) => this.#withPeers(target)),
        ...[...this.#targets.values()].map(({ wanted }) => ({ ...wanted, leaving: true })),
      ],
      egresses: [...wired.egresses, ...[...this.#egresses.values()].map(({ wanted }) => wanted)],
    };
  }

  /** When there is less to carry, in milliseconds of the same clock. Undefined: nothing leaves. */
  get next(): number | undefined {
    const ends = [this.#sources, this.#targets, this.#egresses, this.#peers].flatMap((each) =>
      [...each.values()].map(({ until }) => until),
    );
    return ends.length === 0 ? undefined : Math.min(...ends);
  }

  /** Of a target's sources those whose lease was replaced: the workload is still let in, under another lease. */
  #notePeers(wired: WantedConnections, until: number): void {
    const before = new Map(this.#before.targets.map((target) => [targetKey(target), target]));
    for (const target of wired.targets) {
      for (const peer of before.get(targetKey(target))?.sources ?? []) {
        const replaced =
          !target.sources.some((one) => one.workload === peer.workload && one.lease === peer.lease) &&
          target.sources.some((one) => one.workload === peer.workload);
        if (replaced) this.#peers.set(peerKey(target, peer), { wanted: peer, until });
      }
    }
  }

  #withPeers(target: WantedTarget): WantedTarget {
    const prefix = targetKey(target);
    const leaving = [...this.#peers].filter(([key]) => key.startsWith(`${prefix} `)).map(([, { wanted }]) => wanted);
    return leaving.length === 0 ? target : { ...target, sources: [...target.sources, ...leaving] };
  }
}

function sourceKey({ connection, source }: WantedSource): string {
  return JSON.stringify([connection, source.lease, source.workload]);
}

function targetKey({ connection, target }: WantedTarget): string {
  return JSON.stringify([connection, target.lease]);
}

function peerKey(target: WantedTarget, { datacenter, lease, workload }: PeerIdentity): string {
  return `${targetKey(target)} ${JSON.stringify([datacenter, lease, workload])}`;
}
