import { createHash } from "node:crypto";
import type { Isolation, Manifest, ManifestWorkload } from "@dcx/protocol";
import type { InstanceSpecification, Limits, VolumeMount } from "../runtime/runtime";
import { egressEnvironment, egressOf } from "./egress";

/** Where an instance is, and for whom. */
export interface Placement {
  readonly chainId: string;
  /** Account address of the datacenter. */
  readonly datacenter: string;
  readonly region: string;
  readonly isolation: Isolation;
  /** `<tenant>/<sequence>` */
  readonly deployment: string;
  /** Text id of the lease. */
  readonly lease: string;
  readonly infrastructure: string;
}

/** What the slot of an instance offers. */
export type Slot = Pick<Limits, "cpu" | "memory" | "disk">;

/** Most processes and threads of one instance. */
const processes = 1024;

/**
 * The instances of one workload, as they are to run. Their digests change with nothing but what would need a new
 * container: not with stamps, other workloads, the count, or the health check.
 */
export function specifyInstances(
  placement: Placement,
  manifest: Manifest,
  name: string,
  slots: readonly Slot[],
): readonly InstanceSpecification[] {
  const workload = manifest.workloads[name];
  if (workload === undefined) return [];
  const hosts = [...reachable(manifest, name).map(({ to }) => to), ...egressOf(manifest, name).map(({ host }) => host)];
  const names = hosts.map((host) => [host, connectionHost(placement, name, host)] as const);
  return slots.map((slot, index) => {
    const labels = {
      deployment: placement.deployment,
      infrastructure: placement.infrastructure,
      lease: placement.lease,
      workload: name,
      index,
    };
    const what = {
      labels,
      image: workload.container.image,
      ...(workload.container.credentials === undefined ? {} : { credentials: workload.container.credentials }),
      ...(workload.command === undefined ? {} : { command: workload.command }),
      ...(workload.arguments === undefined ? {} : { arguments: workload.arguments }),
      environment: { ...given(placement, manifest, name, index), ...workload.environment },
      limits: { ...slot, processes },
      volumes: volumesOf(placement, workload, name, index),
      hosts: Object.fromEntries(names),
    };
    const digest = digestOf(manifest.salt, placement, what);
    return { id: `${instanceKey(placement)}.${name}.${index}.${digest.slice(0, 12)}`, digest, ...what };
  });
}

/** Connections that a workload may open. */
export interface Reachable {
  /** Name of the connection. */
  readonly connection: string;
  /** Target workload. */
  readonly to: string;
  readonly port: number;
}

/** The connections whose source is this workload, by itself or by its infrastructure; in the order of their names. */
export function reachable(manifest: Manifest, workload: string): readonly Reachable[] {
  const infrastructure = manifest.workloads[workload]?.infrastructure;
  return Object.entries(manifest.connections)
    .filter(([, { from, to }]) => {
      if (from.workload !== undefined) return from.workload === workload;
      return from.infrastructure !== undefined && from.infrastructure === infrastructure && to !== workload;
    })
    .map(([connection, { to, port }]) => ({ connection, to, port }))
    .sort((a, b) => (a.connection < b.connection ? -1 : 1));
}

/**
 * The loopback address that stands for a target in the instances of a source: in 127.64.0.0/10, the same as long as
 * the lease, and of no other source, so that it also works where instances share the host's network.
 */
export function connectionHost(
  placement: Pick<Placement, "chainId" | "datacenter" | "lease">,
  source: string,
  target: string,
): string {
  const hash = sha256(JSON.stringify([placement.chainId, placement.datacenter, placement.lease, source, target]));
  const third = 1 + ((hash[2] ?? 0) % 254);
  return `127.${64 + ((hash[0] ?? 0) % 64)}.${hash[1] ?? 0}.${third}`;
}

/** Short, stable and unique among the leases of all datacenters on one machine: `<key>` of ids and volumes. */
function instanceKey(placement: Pick<Placement, "chainId" | "datacenter" | "deployment">): string {
  const text = JSON.stringify([placement.chainId, placement.datacenter, placement.deployment]);
  return `dcx-${sha256(text).toString("hex").slice(0, 16)}`;
}

/** What every workload finds in its environment; its own settings go before. docs/datacenter.md lists them. */
function given(
  placement: Placement,
  manifest: Manifest,
  workload: string,
  index: number,
): Readonly<Record<string, string>> {
  const environment: Record<string, string> = {
    DCX_DEPLOYMENT: placement.deployment,
    DCX_WORKLOAD: workload,
    DCX_INSTANCE: String(index),
    DCX_REGION: placement.region,
  };
  const connections = reachable(manifest, workload);
  for (const { to, port } of connections) {
    const host = placement.isolation === "none" ? connectionHost(placement, workload, to) : to;
    environment[`DCX_CONNECTION_${variable(to)}_${port}`] = `${host}:${port}`;
    const ports = new Set(connections.filter((other) => other.to === to).map((other) => other.port));
    if (ports.size === 1) environment[`DCX_CONNECTION_${variable(to)}`] = `${host}:${port}`;
  }
  const proxies = egressOf(manifest, workload).map((proxy) => ({
    ...proxy,
    address: placement.isolation === "none" ? connectionHost(placement, workload, proxy.host) : proxy.host,
  }));
  const direct = [...new Set(connections.map(({ to }) => to))];
  return { ...environment, ...egressEnvironment(proxies, placement.chainId, direct) };
}

function variable(name: string): string {
  return name.toUpperCase().replace(/[^A-Z0-9]/g, "_");
}

function volumesOf(
  placement: Placement,
  workload: ManifestWorkload,
  name: string,
  index: number,
): readonly VolumeMount[] {
  const lease = sha256(placement.lease).toString("hex").slice(0, 8);
  return Object.entries(workload.volumes ?? {})
    .map(([volume, { path, size }]) => ({
      volume: `${instanceKey(placement)}.${lease}.${name}.${index}.${volume}`,
      path,
      size: BigInt(size),
    }))
    .sort((a, b) => (a.volume < b.volume ? -1 : 1));
}

function digestOf(salt: string, placement: Placement, what: Omit<InstanceSpecification, "id" | "digest">): string {
  const { credentials: _unneeded, ...relevant } = what;
  // The salt keeps what the environment holds from being guessed from a digest, which is a container's name.
  const text = JSON.stringify([salt, placement.chainId, placement.datacenter, relevant], sorted);
  return sha256(text).toString("hex");
}

/** Objects with their keys in order, so that equal values have equal text; a bigint as text. */
function sorted(_key: string, value: unknown): unknown {
  if (typeof value === "bigint") return value.toString();
  if (typeof value !== "object" || value === null || Array.isArray(value)) return value;
  return Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)));
}

function sha256(text: string): Buffer {
  return createHash("sha256").update(text, "utf8").digest();
}
