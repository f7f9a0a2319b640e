import type { Compute, ResourceGroup } from "@dcx/protocol";

/** What a datacenter has to sell, or what of it is sold. */
export interface Capacity {
  /** Thousandths of a virtual CPU. */
  readonly cpu: bigint;
  /** Bytes. */
  readonly memory: bigint;
  /** Bytes. */
  readonly disk: bigint;
  /** Pieces. */
  readonly gpu: bigint;
}

export const noCapacity: Capacity = { cpu: 0n, memory: 0n, disk: 0n, gpu: 0n };

const dimensions = ["cpu", "memory", "disk", "gpu"] as const;

/** What one unit of `compute` takes. */
function unitOf(compute: Compute | undefined): Capacity {
  return {
    cpu: compute?.cpu ?? 0n,
    memory: compute?.memory ?? 0n,
    disk: compute?.disk ?? 0n,
    gpu: BigInt(compute?.gpu?.count ?? 0),
  };
}

/** What all units of all groups take together. */
export function totalOf(groups: readonly ResourceGroup[]): Capacity {
  return groups.reduce((sum, group) => add(sum, times(unitOf(group.compute), BigInt(group.count))), noCapacity);
}

function add(a: Capacity, b: Capacity): Capacity {
  return { cpu: a.cpu + b.cpu, memory: a.memory + b.memory, disk: a.disk + b.disk, gpu: a.gpu + b.gpu };
}

export function subtract(a: Capacity, b: Capacity): Capacity {
  return { cpu: a.cpu - b.cpu, memory: a.memory - b.memory, disk: a.disk - b.disk, gpu: a.gpu - b.gpu };
}

export function times(a: Capacity, factor: bigint): Capacity {
  return { cpu: a.cpu * factor, memory: a.memory * factor, disk: a.disk * factor, gpu: a.gpu * factor };
}

/** The dimensions of which `wanted` asks more than `free` has. Empty: it fits. */
export function shortOf(wanted: Capacity, free: Capacity): readonly (keyof Capacity)[] {
  return dimensions.filter((dimension) => wanted[dimension] > 0n && wanted[dimension] > free[dimension]);
}

/** Something that the datacenter has promised: an open fulfillment, an active lease, or a bid on its way. */
export interface Commitment {
  /** Text id of the order. A bid, its fulfillment and its lease have the same and count once. */
  readonly order: string;
  readonly resources: readonly ResourceGroup[];
  /** Micro-units of collateral bound by it. */
  readonly collateral: bigint;
}

/** What is left of `total` after every commitment; an order that several of them name counts once. */
export function freeCapacity(total: Capacity, commitments: Iterable<Commitment>): Capacity {
  return [...distinct(commitments)].reduce((free, each) => subtract(free, totalOf(each.resources)), total);
}

/** Micro-units of collateral that the commitments bind. */
export function boundCollateral(commitments: Iterable<Commitment>): bigint {
  return [...distinct(commitments)].reduce((sum, each) => sum + each.collateral, 0n);
}

function distinct(commitments: Iterable<Commitment>): Iterable<Commitment> {
  const byOrder = new Map<string, Commitment>();
  for (const each of commitments) if (!byOrder.has(each.order)) byOrder.set(each.order, each);
  return byOrder.values();
}
