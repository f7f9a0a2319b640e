import { type Datacenter, entryDigest, entryKey, type Lease, LeaseState, type Manifest, orderKey } from "@dcx/protocol";
import type { ChainView } from "../chain/view";
import type {
  HolderAgent,
  PeerIdentity,
  TargetPeer,
  WantedConnections,
  WantedEgress,
  WantedIngress,
  WantedSource,
  WantedTarget,
} from "../overlay/overlay";
import { egressOf } from "./egress";
import { connectionHost } from "./instances";
import type { LeaseTarget } from "./lease-target";

/** Ids of the instances of a workload of a lease. */
export interface LocalInstances {
  /** All that run, also those that are leaving and finish what they have begun. */
  present(lease: string, workload: string): readonly string[];
  /** All that run and stay. */
  running(lease: string, workload: string): readonly string[];
  /** Those of them that run as they are wanted now: with all of their connections. */
  current(lease: string, workload: string): readonly string[];
  /** Those that serve. */
  ready(lease: string, workload: string): readonly string[];
  /** Digest of the workload's entry as it runs; absent while it rolls. */
  entry(lease: string, workload: string): string | undefined;
}

/**
 * What the overlay has to carry for the leases here: a source for each connection that a workload here may open, a
 * target for each that leads here, an ingress for each global one. Pure.
 * design: "The datacenter" (a workload is isolated unless a connection lets something in).
 */
export function wireConnections(
  view: ChainView,
  targets: readonly LeaseTarget[],
  instances: LocalInstances,
): WantedConnections {
  const sources: WantedSource[] = [];
  const inward: WantedTarget[] = [];
  const ingresses = new Map<string, Ingress>();
  const egresses: WantedEgress[] = [];
  for (const target of targets) {
    const { manifest, placement } = target;
    if (manifest === undefined) continue;
    const peers = peersOf(view, placement.deployment);
    for (const { workload } of target.workloads) {
      const source = { lease: placement.lease, workload };
      const present = instances.present(placement.lease, workload);
      for (const { host, port, rules } of egressOf(manifest, workload)) {
        const address = connectionHost(placement, workload, host);
        const leads = rules === undefined ? { agents: peers.agents } : { rules };
        egresses.push({ source, instances: present, address, port, ...leads });
      }
    }
    for (const [name, { to, port, from }] of Object.entries(manifest.connections)) {
      const connection = `${placement.deployment}/connections/${name}`;
      for (const workload of sourcesOf(manifest, name)) {
        if (manifest.workloads[workload]?.infrastructure !== placement.infrastructure) continue;
        const current = instances.current(placement.lease, workload);
        sources.push({
          connection,
          source: { lease: placement.lease, workload },
          instances: instances.present(placement.lease, workload),
          current,
          older: instances.running(placement.lease, workload).some((id) => !current.includes(id)),
          address: connectionHost(placement, workload, to),
          port,
          targets: peers.of(manifest, to),
          ...entryOf(manifest, to),
        });
      }
      if (manifest.workloads[to]?.infrastructure !== placement.infrastructure) continue;
      const entry = instances.entry(placement.lease, to);
      const running = instances.running(placement.lease, to);
      const ready = instances.ready(placement.lease, to);
      if (from.global === true) {
        // Two leases while one is replaced within this datacenter: whichever serves answers.
        const known = ingresses.get(connection);
        ingresses.set(connection, {
          port,
          ready: [...(known?.ready ?? []), ...ready],
          running: [...(known?.running ?? []), ...running],
          hosts: from.hosts ?? [],
        });
      } else {
        inward.push({
          connection,
          target: { lease: placement.lease, workload: to },
          instances: readyElseRunning({ ready, running }),
          port,
          sources: sourcesOf(manifest, name).flatMap((workload) => peers.of(manifest, workload)),
          ...(entry === undefined ? {} : { entry }),
        });
      }
    }
  }
  return {
    sources,
    targets: inward,
    egresses,
    ingresses: [...ingresses].map(
      ([connection, found]): WantedIngress => ({
        connection,
        instances: readyElseRunning(found),
        port: found.port,
        ...(found.hosts.length === 0 ? {} : { hosts: found.hosts }),
      }),
    ),
  };
}

/** The workloads that a connection lets in, by name. */
export function sourcesOf(manifest: Manifest, connection: string): readonly string[] {
  const { from, to } = manifest.connections[connection] ?? { from: {}, to: "" };
  if (from.workload !== undefined) return [from.workload];
  if (from.infrastructure === undefined) return [];
  return Object.keys(manifest.workloads).filter(
    (name) => name !== to && manifest.workloads[name]?.infrastructure === from.infrastructure,
  );
}

function entryOf(manifest: Manifest, workload: string): { readonly entry?: string } {
  const entry = manifest.workloads[workload];
  return entry === undefined ? {} : { entry: entryDigest(manifest.salt, entryKey("workloads", workload), entry) };
}

interface Reachable {
  readonly ready: readonly string[];
  readonly running: readonly string[];
}

interface Ingress extends Reachable {
  readonly port: number;
  readonly hosts: readonly string[];
}

/**
 * Those that serve; where none does, those that run: two workloads whose health checks need one another would
 * wait for ever otherwise.
 */
function readyElseRunning({ ready, running }: Reachable): readonly string[] {
  return ready.length > 0 ? ready : running;
}

interface Peers {
  /** Of all that hold an active lease. */
  readonly agents: readonly HolderAgent[];
  /** Where a workload runs: one lease, or two while one is being replaced, the older first. */
  of(manifest: Manifest, workload: string): readonly TargetPeer[];
}

function peersOf(view: ChainView, deployment: string): Peers {
  const answer = view.deployments.get(deployment);
  const datacenters = new Map((answer?.datacenters ?? []).map((each) => [each.address, each]));
  if (view.record !== undefined) datacenters.set(view.record.address, view.record);
  const leases = (answer?.leases ?? [])
    .filter(({ state }) => state === LeaseState.ACTIVE)
    .sort((a, b) => (a.id?.generation ?? 0) - (b.id?.generation ?? 0));
  const holders = [...new Set(leases.map(({ datacenter }) => datacenter))];
  return {
    agents: holders.flatMap((holder) => {
      const record = datacenters.get(holder);
      if (record === undefined) return [];
      return [{ datacenter: holder, urls: record.agentUrls, roots: currentRoots(record, view.height) }];
    }),
    of: (manifest, workload) =>
      leases
        .filter(({ id }) => id?.infrastructure === manifest.workloads[workload]?.infrastructure)
        .flatMap((lease) => peerOf(lease, datacenters.get(lease.datacenter), workload, view.height)),
  };
}

function peerOf(
  lease: Lease,
  datacenter: Datacenter | undefined,
  workload: string,
  height: bigint,
): (PeerIdentity & TargetPeer)[] {
  if (lease.id === undefined || datacenter === undefined) return [];
  return [
    {
      datacenter: lease.datacenter,
      lease: orderKey(lease.id),
      workload,
      roots: currentRoots(datacenter, height).map(pemOf),
      addresses: datacenter.tunnelAddresses,
    },
  ];
}

/** DER of the roots of a datacenter that count at this height. */
export function currentRoots(datacenter: Datacenter, height: bigint): readonly Uint8Array[] {
  return datacenter.roots
    .filter(({ endHeight }) => endHeight === 0n || endHeight >= height)
    .map(({ certificate }) => certificate);
}

function pemOf(der: Uint8Array): string {
  const lines = Buffer.from(der)
    .toString("base64")
    .replace(/(.{64})/g, "$1\n");
  return `-----BEGIN CERTIFICATE-----\n${lines.trimEnd()}\n-----END CERTIFICATE-----\n`;
}
