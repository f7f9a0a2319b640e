import { createHash } from "node:crypto";
import {
  type ConnectionStatus,
  type DeploymentStatus,
  entryDigest,
  entryKey,
  type InstanceStatus,
  type WorkloadStatus,
} from "@dcx/protocol";
import type { ConnectionKey } from "../overlay/overlay";
import type { InstanceSpecification, ObservedInstance } from "../runtime/runtime";
import type { Health } from "./health";
import type { LeaseTarget } from "./lease-target";
import type { Progress } from "./reconciler";
import { runningEntry } from "./rolled";
import { sourcesOf } from "./wiring";

/** All that a status is made of. */
export interface StatusSource {
  readonly height: bigint;
  /** Of the leases of this deployment here. */
  readonly targets: readonly LeaseTarget[];
  /** Instances of this deployment. */
  readonly observed: readonly ObservedInstance[];
  readonly health: (id: string) => Health | undefined;
  readonly progress: (id: string) => Progress | undefined;
  readonly connections: ReadonlyMap<ConnectionKey, ConnectionStatus>;
  readonly deployment: string;
}

/** What runs of a deployment here, for its tenant. Its cursor changes with everything in it but the height. Pure. */
export function describeDeployment(source: StatusSource): DeploymentStatus {
  const workloads: Record<string, WorkloadStatus> = {};
  for (const target of source.targets) {
    // While a lease is replaced within one datacenter the newer one's instances are shown.
    for (const { workload, instances } of target.workloads)
      workloads[workload] = describe(source, target, workload, instances);
  }
  for (const { labels } of source.observed) {
    workloads[labels.workload] ??= {
      desired: 0,
      instances: source.observed
        .filter((each) => each.labels.workload === labels.workload)
        .map((each) => leaving(each)),
    };
  }
  const current = source.targets.find((target) => target.current);
  const version = current?.version ?? source.targets.find((target) => target.version !== undefined)?.version;
  const content = {
    ...(version === undefined ? {} : { version }),
    complete: source.targets.length > 0 && source.targets.every(({ complete }) => complete),
    workloads,
    connections: connectionsOf(source),
  };
  const cursor = createHash("sha256").update(JSON.stringify(content)).digest("hex").slice(0, 16);
  return { cursor, height: source.height.toString(), ...content };
}

function describe(
  source: StatusSource,
  target: LeaseTarget,
  workload: string,
  wanted: readonly InstanceSpecification[],
): WorkloadStatus {
  const ours = source.observed.filter(
    ({ labels }) => labels.workload === workload && labels.lease === target.placement.lease,
  );
  const current = ours.filter(({ id }) => wanted.some((specification) => specification.id === id));
  const digest = runningEntry(target, workload, source.observed);
  const image = current.find(({ imageDigest }) => imageDigest !== undefined)?.imageDigest;
  return {
    ...(image === undefined ? {} : { imageDigest: image }),
    ...(digest === undefined ? {} : { entryDigest: digest }),
    desired: wanted.length,
    instances: wanted.map((specification, index) => instanceStatus(source, target, specification, index, ours)),
  };
}

function instanceStatus(
  source: StatusSource,
  target: LeaseTarget,
  { id }: InstanceSpecification,
  index: number,
  ours: readonly ObservedInstance[],
): InstanceStatus {
  const observed = ours.find((each) => each.id === id);
  const progress = source.progress(id);
  if (observed === undefined) {
    if (progress !== undefined) return { index, state: progress.phase, ...messageOf(progress.message), restarts: 0 };
    const before = ours.find(({ labels }) => labels.index === index);
    if (before !== undefined) return { ...observedStatus(source, before), index };
    return { index, state: "pending", ...messageOf(target.problem), restarts: 0 };
  }
  return { ...observedStatus(source, observed), index };
}

function observedStatus(source: StatusSource, { id, labels, state, containerId }: ObservedInstance): InstanceStatus {
  const base = { index: labels.index, containerId };
  switch (state.phase) {
    case "pulling":
      return { ...base, state: "pulling", ...messageOf(state.message), restarts: 0 };
    case "failed":
      return { ...base, state: "failed", message: state.message, restarts: 0 };
    case "exited": {
      const reason = `exited with ${state.exitCode}${state.message === "" ? "" : `: ${JSON.stringify(state.message)}`}`;
      return { ...base, state: "exited", message: reason, restarts: state.restarts };
    }
    case "running": {
      const health = source.health(id);
      const running = { ...base, restarts: state.restarts, startedAt: state.startedAt };
      if (health?.serving === "yes") return { ...running, state: "ready" };
      return { ...running, state: health?.served === true ? "unhealthy" : "running", ...messageOf(health?.message) };
    }
  }
}

function leaving(instance: ObservedInstance): InstanceStatus {
  return {
    index: instance.labels.index,
    state: "exited",
    message: "it is being removed",
    restarts: 0,
    containerId: instance.containerId,
  };
}

function connectionsOf(source: StatusSource): Record<string, ConnectionStatus> {
  const found: Record<string, ConnectionStatus> = {};
  for (const { manifest, placement } of source.targets) {
    if (manifest === undefined) continue;
    for (const [name, entry] of Object.entries(manifest.connections)) {
      const key = `${source.deployment}/connections/${name}`;
      const here = sourcesOf(manifest, name).some(
        (workload) => manifest.workloads[workload]?.infrastructure === placement.infrastructure,
      );
      const status =
        source.connections.get(`ingress ${key}`) ??
        (here ? source.connections.get(`source ${key}`) : undefined) ??
        source.connections.get(`target ${key}`);
      if (status === undefined) continue;
      found[name] = { ...status, entryDigest: entryDigest(manifest.salt, entryKey("connections", name), entry) };
    }
  }
  return found;
}

function messageOf(message: string | undefined): { message?: string } {
  return message === undefined ? {} : { message };
}
