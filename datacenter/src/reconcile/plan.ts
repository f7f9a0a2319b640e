import { type Capacity, shortOf, subtract, times } from "../market/capacity";
import type { InstanceLabels } from "../runtime/labels";
import type { InstanceSpecification } from "../runtime/runtime";

/**
 * Pure: what should run and what does run in, the next steps out as data. They are run elsewhere, and the plan is made
 * again when anything has changed; so a step appears only when it may be taken now.
 * design: "The datacenter".
 */
export interface Target {
  /** Text ids of the leases that are active here. */
  readonly leases: ReadonlySet<string>;
  /** Workloads of the leases that are active here. */
  readonly workloads: readonly TargetWorkload[];
  /**
   * Leases of which nothing is stopped that the target does not name: their manifest is incomplete or not here yet
   * (design: "holders start what it names and stop nothing").
   */
  readonly keepUnnamed: ReadonlySet<string>;
  /** Capacity that is neither sold nor promised: the room for a new instance beside the one that it replaces. */
  readonly spare: Capacity;
}

export interface TargetWorkload {
  /** Text id of the lease. */
  readonly lease: string;
  readonly workload: string;
  /** One a slot, in the order of their indices. */
  readonly instances: readonly InstanceSpecification[];
}

/** Whether an instance does its work: "unknown" until it has been looked at, as after a restart of the agent. */
export type Serving = "yes" | "no" | "unknown";

export interface Present {
  readonly id: string;
  readonly labels: InstanceLabels;
  readonly serving: Serving;
  /** Whether it accepts streams where connections lead to it. Absent: nothing leads to it. */
  readonly accepts?: Serving;
  /** The volumes that it mounts. */
  readonly volumes: readonly string[];
}

export interface Observation {
  /** What runs, exited and waits for its restart, or is on its way up (image being pulled, start requested). */
  readonly instances: readonly Present[];
  readonly volumes: readonly VolumeInUse[];
  /** Images that are known to be on the machine. */
  readonly images: ReadonlySet<string>;
}

export interface VolumeInUse {
  readonly volume: string;
  /** Text id of the lease that it belongs to. */
  readonly lease: string;
}

export type Step =
  /** Fetches an image ahead, so that nothing is stopped for one that can't be had. */
  | { readonly kind: "pull"; readonly specification: InstanceSpecification }
  | { readonly kind: "start"; readonly specification: InstanceSpecification }
  | { readonly kind: "remove"; readonly id: string; readonly labels: InstanceLabels; readonly why: string }
  | { readonly kind: "remove-volume"; readonly volume: string };

/**
 * The steps that may be taken now. Taken, and planned again after each change, they lead to the target; an instance
 * that is as the target wants it is never touched; while a workload is rolled, at most one of its instances that
 * serve is missing. Empty: everything is as wanted, or the next step waits for an instance to serve.
 *
 * PERF: linear in workloads and instances.
 */
export function plan(target: Target, observed: Observation): readonly Step[] {
  const steps: Step[] = [];
  const present = groupBy(observed.instances, (instance) => keyOf(instance.labels.lease, instance.labels.workload));
  let spare = target.spare;
  for (const workload of target.workloads) {
    const key = keyOf(workload.lease, workload.workload);
    const roll = planWorkload(workload, present.get(key) ?? [], spare, observed.images);
    steps.push(...roll.steps);
    spare = roll.spare;
    present.delete(key);
  }
  for (const instance of [...present.values()].flat()) {
    if (!target.keepUnnamed.has(instance.labels.lease)) steps.push(removal(instance, "nothing wants it any more"));
  }
  steps.push(...planVolumes(target, observed));
  return steps;
}

interface Roll {
  readonly steps: readonly Step[];
  readonly spare: Capacity;
}

function planWorkload(
  target: TargetWorkload,
  present: readonly Present[],
  spare: Capacity,
  images: ReadonlySet<string>,
): Roll {
  const wanted = new Set(target.instances.map(({ id }) => id));
  const current = present.filter(({ id }) => wanted.has(id));
  const obsolete = present.filter(({ id }) => !wanted.has(id));
  const missing = target.instances.filter((specification) => !current.some(({ id }) => id === specification.id));
  // What neither serves nor carries anything is missed by nobody when it goes.
  const idle = obsolete.filter((instance) => instance.serving === "no" && !carries(instance));
  const busy = obsolete.filter((instance) => !idle.includes(instance));
  const removals = idle.map((instance) => removal(instance, "a new version takes its place"));
  const free = startable(missing, present);
  if (busy.length === 0) return { steps: [...removals, ...free.map(start)], spare };
  const roll = rollOne({ target, current, busy, missing, free, spare, images });
  return { steps: [...removals, ...roll.steps], spare: roll.spare };
}

interface Rolling {
  readonly target: TargetWorkload;
  /** Present, and as wanted. */
  readonly current: readonly Present[];
  /** Present, no longer wanted, and not known to be out of use. */
  readonly busy: readonly Present[];
  /** Wanted, not present. */
  readonly missing: readonly InstanceSpecification[];
  /** Of the missing ones those that may start beside what is present. */
  readonly free: readonly InstanceSpecification[];
  readonly spare: Capacity;
  readonly images: ReadonlySet<string>;
}

/** One step of replacing the busy ones: fill the room there is, else a new one beside them, else one of them goes. */
function rollOne({ target, current, busy, missing, free, spare, images }: Rolling): Roll {
  const count = target.instances.length;
  const room = count - current.length - busy.length;
  if (room > 0 && free.length > 0) return { steps: free.slice(0, room).map(start), spare };
  const excess = Math.max(0, -room);
  const left = subtract(spare, times(limitsOf(target.instances[0]), BigInt(excess)));
  // Those under way are waited for: a version that does not come up takes nothing down with it.
  const wait =
    current.some(({ serving }) => serving !== "yes") ||
    busy.some((instance) => instance.serving !== "yes" && !carries(instance));
  if (wait) return { steps: [], spare: left };
  // Streams go to what is new only once it accepts them; where the old one never did there is nothing to wait for.
  const accepted = busy.some(({ accepts }) => accepts !== undefined && accepts !== "no");
  if (accepted && current.some(({ accepts = "yes" }) => accepts !== "yes")) return { steps: [], spare: left };
  if (missing.length === 0) return { steps: busy.map((one) => removal(one, "its successor serves")), spare };
  if (excess > 0) {
    const leaving = leavingFirst(busy, target, current).slice(0, excess);
    return { steps: leaving.map((one) => removal(one, "its successor serves")), spare };
  }
  const next = free[0];
  if (next !== undefined && shortOf(limitsOf(next), spare).length === 0) {
    return { steps: [start(next)], spare: subtract(spare, limitsOf(next)) };
  }
  const following = missing[0];
  if (following !== undefined && !images.has(following.image)) {
    return { steps: [{ kind: "pull", specification: following }], spare };
  }
  const leaving = busy.find(({ labels }) => labels.index === following?.labels.index) ?? busy[0];
  return { steps: leaving === undefined ? [] : [removal(leaving, "it makes room for the new version")], spare };
}

/** Whether streams may lead to it though it does not count as serving, as in the first seconds after its start. */
function carries({ serving, accepts }: Present): boolean {
  return serving === "no" && (accepts === "yes" || accepts === "unknown");
}

/** Those first whose place is gone or taken already. */
function leavingFirst(
  busy: readonly Present[],
  target: TargetWorkload,
  current: readonly Present[],
): readonly Present[] {
  const needed = new Set(target.instances.map(({ labels }) => labels.index));
  for (const { labels } of current) needed.delete(labels.index);
  return [...busy].sort((a, b) => Number(needed.has(a.labels.index)) - Number(needed.has(b.labels.index)));
}

/** Of the missing ones those whose volumes no other instance has mounted. */
function startable(
  missing: readonly InstanceSpecification[],
  present: readonly Present[],
): readonly InstanceSpecification[] {
  const mounted = new Set(present.flatMap(({ volumes }) => volumes));
  return missing.filter((specification) => !specification.volumes.some(({ volume }) => mounted.has(volume)));
}

/** A volume lives as long as its lease, and as anything that has it mounted. */
function planVolumes(target: Target, observed: Observation): readonly Step[] {
  const leases = new Set([...target.leases, ...target.keepUnnamed]);
  const mounted = new Set(observed.instances.flatMap(({ volumes }) => volumes));
  return observed.volumes
    .filter(({ lease, volume }) => !leases.has(lease) && !mounted.has(volume))
    .map(({ volume }) => ({ kind: "remove-volume", volume }));
}

function limitsOf(specification: InstanceSpecification | undefined): Capacity {
  return {
    cpu: BigInt(specification?.limits.cpu ?? 0),
    memory: specification?.limits.memory ?? 0n,
    disk: specification?.limits.disk ?? 0n,
    gpu: 0n,
  };
}

function start(specification: InstanceSpecification): Step {
  return { kind: "start", specification };
}

function removal(instance: Present, why: string): Step {
  return { kind: "remove", id: instance.id, labels: instance.labels, why };
}

function keyOf(lease: string, workload: string): string {
  return `${lease} ${workload}`;
}

function groupBy<T>(items: readonly T[], key: (item: T) => string): Map<string, T[]> {
  const groups = new Map<string, T[]>();
  for (const item of items) {
    const group = groups.get(key(item));
    if (group === undefined) groups.set(key(item), [item]);
    else group.push(item);
  }
  return groups;
}
