import type { Gpu, Infrastructure, ResourceGroup } from "../generated/dcx/exchange/v1/types";
import { formatCpu } from "../quantities/cpu";
import { formatSize } from "../quantities/size";
import type { ManifestIssue } from "./error";
import type { ManifestWorkload } from "./types";

/**
 * One compute unit of a resource group is a slot for one instance of a workload. Tenant and agent run the same pure
 * function, so that a manifest which doesn't fit its leases is refused before anything is sent (design: "The
 * manifest").
 */
export interface SlotAssignment {
  readonly workload: string;
  /** Of the workload's instances, from 0. */
  readonly instance: number;
  /** Index of the resource group. */
  readonly group: number;
  /** Index of the compute unit within its group. No two assignments share it. */
  readonly unit: number;
  readonly limits: SlotLimits;
}

/** What an instance may use: what its workload asks for, else what its slot has left. */
export interface SlotLimits {
  /** Thousandths of a vCPU. */
  readonly cpu: number;
  /** Bytes. */
  readonly memory: bigint;
  /** Bytes, besides those of its volumes. */
  readonly disk: bigint;
  readonly gpu?: { readonly count: number; readonly vendor: string; readonly model: string };
}

/** What is leased: an infrastructure of an order, or `{ name, resources }` of a lease. */
export type LeasedInfrastructure = Pick<Infrastructure, "name" | "resources">;

/** Workloads that don't fit, each with what is short. */
export class SlotError extends Error {
  override readonly name = "SlotError";
  constructor(
    readonly infrastructure: string,
    readonly issues: readonly (ManifestIssue & { readonly workload: string })[],
  ) {
    super(issues.map(({ workload, message }) => `workload ${JSON.stringify(workload)} ${message}`).join("\n"));
  }
}

/**
 * Gives every instance that is placed in an infrastructure a slot of its own: of the group that its workload names,
 * else of the smallest that fits (by gpus, cpu, memory, disk, then index). Where that one is full and another would
 * do for something that is in it, that moves: what fits at all is found. The result depends on nothing but the
 * content of the arguments, not on the order of their keys.
 * @param workloads of the whole manifest; those placed elsewhere are left out
 * @returns ordered by workload and instance
 * @throws {SlotError}
 */
export function assignSlots(
  workloads: Readonly<Record<string, ManifestWorkload>>,
  infrastructure: LeasedInfrastructure,
): SlotAssignment[] {
  const slots = infrastructure.resources.map((group, index) => new SlotGroup(group, index));
  const demands = Object.entries(workloads)
    .filter(([, workload]) => workload.infrastructure === infrastructure.name)
    .map(([name, workload]) => demandOf(name, workload, slots))
    .sort(mostConstrainedFirst);
  const issues = demands.flatMap((demand) => {
    const message = demand.candidates.length === 0 ? whyNoGroup(demand, infrastructure, slots) : undefined;
    return message === undefined ? [] : [issueOf(demand, message)];
  });
  for (const demand of demands.filter(({ candidates }) => candidates.length > 0)) {
    let found = 0;
    while (found < demand.count && place(demand, new Set())) {
      found += 1;
    }
    if (found < demand.count) {
      issues.push(issueOf(demand, whyTooFew(demand, found, infrastructure)));
    }
  }
  if (issues.length > 0) {
    throw new SlotError(
      infrastructure.name,
      issues.sort((a, b) => compareText(a.workload, b.workload)),
    );
  }
  return numbered(slots);
}

/** As {@link assignSlots}, for all infrastructures of a manifest: what doesn't fit, with the paths of the workloads. */
export function slotIssues(
  workloads: Readonly<Record<string, ManifestWorkload>>,
  infrastructures: readonly LeasedInfrastructure[],
): ManifestIssue[] {
  return infrastructures.flatMap((infrastructure) => {
    try {
      assignSlots(workloads, infrastructure);
      return [];
    } catch (error) {
      if (error instanceof SlotError) {
        return error.issues.map(({ path, message }) => ({ path, message }));
      }
      throw error;
    }
  });
}

/** What one instance needs of a slot. */
interface Demand {
  readonly name: string;
  readonly workload: ManifestWorkload;
  readonly cpu: bigint;
  readonly memory: bigint;
  /** Volumes included. */
  readonly disk: bigint;
  readonly volumes: bigint;
  readonly count: number;
  /** Groups whose slots fit, the smallest first. */
  readonly candidates: readonly SlotGroup[];
}

class SlotGroup {
  readonly cpu: bigint;
  readonly memory: bigint;
  readonly disk: bigint;
  readonly gpu: Gpu;
  readonly count: number;
  /** One for each slot taken. */
  readonly occupants: Demand[] = [];

  constructor(
    { compute, count }: ResourceGroup,
    readonly index: number,
  ) {
    this.cpu = compute?.cpu ?? 0n;
    this.memory = compute?.memory ?? 0n;
    this.disk = compute?.disk ?? 0n;
    this.gpu = compute?.gpu ?? { count: 0, vendor: "", model: "" };
    this.count = count;
  }

  toString(): string {
    const parts = [`${formatCpu(this.cpu)} cpu`, `${formatSize(this.memory)} memory`, `${formatSize(this.disk)} disk`];
    return this.gpu.count === 0 ? parts.join(", ") : [...parts, gpuText(this.gpu)].join(", ");
  }
}

function demandOf(name: string, workload: ManifestWorkload, slots: readonly SlotGroup[]): Demand {
  const volumes = Object.values(workload.volumes ?? {}).reduce((sum, { size }) => sum + BigInt(size), 0n);
  const demand = {
    name,
    workload,
    cpu: BigInt(workload.compute?.cpu ?? 0),
    memory: BigInt(workload.compute?.memory ?? 0),
    disk: BigInt(workload.compute?.disk ?? 0) + volumes,
    volumes,
    count: workload.count ?? 1,
  };
  const allowed = workload.group === undefined ? slots : slots.filter(({ index }) => index === workload.group);
  const candidates = allowed
    .filter((group) => group.count > 0 && shortfalls({ ...demand, candidates: [] }, group).length === 0)
    .sort(smallestFirst);
  return { ...demand, candidates };
}

/**
 * Takes a slot for one instance, moving others out of the way where they have somewhere else to go (an augmenting
 * path; `visited` are the groups that it has been to).
 * PERF: groups × workloads, and only once the smaller groups are full.
 */
function place(demand: Demand, visited: Set<SlotGroup>): boolean {
  const free = demand.candidates.find((group) => group.occupants.length < group.count);
  if (free !== undefined) {
    free.occupants.push(demand);
    return true;
  }
  for (const group of demand.candidates) {
    if (visited.has(group)) {
      continue;
    }
    visited.add(group);
    const others = new Set(group.occupants);
    others.delete(demand);
    const moved = [...others].find((other) => place(other, visited));
    if (moved !== undefined) {
      group.occupants[group.occupants.indexOf(moved)] = demand;
      return true;
    }
  }
  return false;
}

function numbered(slots: readonly SlotGroup[]): SlotAssignment[] {
  const instances = new Map<Demand, number>();
  return slots
    .toSorted(smallestFirst)
    .flatMap((group) =>
      group.occupants
        .toSorted((a, b) => compareText(a.name, b.name))
        .map((demand, unit) => {
          const instance = instances.get(demand) ?? 0;
          instances.set(demand, instance + 1);
          return { workload: demand.name, instance, group: group.index, unit, limits: limitsOf(demand, group) };
        }),
    )
    .sort((a, b) => compareText(a.workload, b.workload) || a.instance - b.instance);
}

function limitsOf(demand: Demand, group: SlotGroup): SlotLimits {
  const { compute } = demand.workload;
  const count = compute?.gpu?.count ?? group.gpu.count;
  return {
    cpu: compute?.cpu ?? Number(group.cpu),
    memory: compute?.memory === undefined ? group.memory : demand.memory,
    disk: compute?.disk === undefined ? group.disk - demand.volumes : demand.disk - demand.volumes,
    ...(count === 0 ? {} : { gpu: { ...group.gpu, count } }),
  };
}

/** What a slot of a group lacks, in words. */
function shortfalls(demand: Demand, group: SlotGroup): string[] {
  const { gpu } = demand.workload.compute ?? {};
  const short: string[] = [];
  if (demand.cpu > group.cpu) {
    short.push(`${formatCpu(demand.cpu)} cpu, and there is ${formatCpu(group.cpu)}`);
  }
  if (demand.memory > group.memory) {
    short.push(`${formatSize(demand.memory)} memory, and there is ${formatSize(group.memory)}`);
  }
  if (demand.disk > group.disk) {
    const volumes = demand.volumes === 0n ? "" : ` (${formatSize(demand.volumes)} of it volumes)`;
    short.push(`${formatSize(demand.disk)} disk${volumes}, and there is ${formatSize(group.disk)}`);
  }
  if (gpu !== undefined && !servesGpu(group.gpu, gpu)) {
    short.push(`${gpuText(gpu)}, and there is ${group.gpu.count === 0 ? "none" : gpuText(group.gpu)}`);
  }
  return short;
}

function servesGpu(offered: Gpu, wanted: { count: number; vendor?: string; model?: string }): boolean {
  return (
    wanted.count <= offered.count &&
    (wanted.vendor === undefined || wanted.vendor === offered.vendor) &&
    (wanted.model === undefined || wanted.model === offered.model)
  );
}

function whyNoGroup(demand: Demand, infrastructure: LeasedInfrastructure, slots: readonly SlotGroup[]): string {
  const { group: named } = demand.workload;
  const where = `infrastructure ${JSON.stringify(infrastructure.name)}`;
  if (named !== undefined && named >= slots.length) {
    const has = slots.length === 1 ? "one resource group" : `${slots.length} resource groups`;
    return `names group ${named}, but ${where} has ${has}, counted from 0`;
  }
  const asked = named === undefined ? slots : slots.filter(({ index }) => index === named);
  const lines = asked.map((group) => {
    const short = group.count === 0 ? ["a compute unit, and there is none"] : shortfalls(demand, group);
    return `in group ${group.index} it needs ${short.join(", needs ")}`;
  });
  const reasons = lines.length === 0 ? "it has no resource groups" : lines.join("; ");
  return `fits no slot of ${where}: ${reasons}`;
}

function whyTooFew(demand: Demand, found: number, infrastructure: LeasedInfrastructure): string {
  const groups = demand.candidates.map((group) => {
    const takers = [...new Set(group.occupants.map(({ name }) => name))].sort(compareText).join(", ");
    return `group ${group.index} (${group}) has ${group.count}, taken by ${takers}`;
  });
  const wanted = demand.count === 1 ? "needs a slot" : `needs ${demand.count} slots, one for each instance,`;
  const left = found === 0 ? "none is left" : `only ${found} ${found === 1 ? "is" : "are"} left`;
  return `${wanted} in infrastructure ${JSON.stringify(infrastructure.name)} and ${left}: ${groups.join("; ")}; raise a group's count`;
}

function issueOf({ name }: Demand, message: string): ManifestIssue & { workload: string } {
  return { workload: name, path: `workloads.${name}`, message };
}

/** A workload with fewer groups to choose from goes first; then by name. */
function mostConstrainedFirst(a: Demand, b: Demand): number {
  return a.candidates.length - b.candidates.length || compareText(a.name, b.name);
}

function smallestFirst(a: SlotGroup, b: SlotGroup): number {
  return (
    a.gpu.count - b.gpu.count ||
    compareSize(a.cpu, b.cpu) ||
    compareSize(a.memory, b.memory) ||
    compareSize(a.disk, b.disk) ||
    a.index - b.index
  );
}

function compareSize(a: bigint, b: bigint): number {
  return a < b ? -1 : Number(a > b);
}

/** By code units, as everywhere in a canonical form; never by locale. */
function compareText(a: string, b: string): number {
  return a < b ? -1 : Number(a > b);
}

function gpuText({ count, vendor, model }: { count: number; vendor?: string; model?: string }): string {
  const kind = [vendor, model].filter((text) => text !== undefined && text !== "").join("/");
  return `${count} ${kind === "" ? "" : `${kind} `}gpu${count === 1 ? "" : "s"}`;
}
