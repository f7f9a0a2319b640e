import {
  deploymentKey,
  entryCount,
  type Isolation,
  type Lease,
  LeaseState,
  type Manifest,
  type ManifestEnvelope,
  orderKey,
  parseManifest,
  type QueryDeploymentResponse,
} from "@dcx/protocol";
import type { ChainView } from "../chain/view";
import type { Records } from "../home/home";
import type { ManifestStore } from "../manifest/store";
import { type Placement, type Slot, specifyInstances } from "./instances";
import type { TargetWorkload } from "./plan";
import { slotsOf } from "./slots";

/** What one lease of this datacenter is to run. */
export interface LeaseTarget {
  readonly placement: Placement;
  readonly record: Lease;
  /** The version that it is to run, in hexadecimal. Absent: none is here yet. */
  readonly version?: string;
  readonly manifest?: Manifest;
  /** Whether `version` is the one on chain. */
  readonly current: boolean;
  /** False: fewer entries than the chain counts, or nothing yet; then nothing is stopped. */
  readonly complete: boolean;
  readonly workloads: readonly TargetWorkload[];
  /** Whether another lease goes on until this one says that it serves. */
  readonly successor: boolean;
  /** Why it does not run what the chain names, for a person. */
  readonly problem?: string;
}

export interface LeaseTargetOptions {
  readonly chainId: string;
  readonly datacenter: string;
  readonly region: string;
  readonly isolation: Isolation;
  readonly store: ManifestStore;
  readonly records: Records;
}

/** Finds out what each lease is to run, and remembers which version each ran last. */
export class LeaseTargets {
  readonly #options: LeaseTargetOptions;
  /** Parsed manifests by version: a hash names one text only. */
  readonly #parsed = new Map<string, Manifest>();

  constructor(options: LeaseTargetOptions) {
    this.#options = options;
  }

  /**
   * One for each active lease. A lease runs the version on chain where that is held and fits it, else the last that
   * it ran (design: "Replacing a lease": the old one runs the last version that fits it).
   */
  of(view: ChainView): readonly LeaseTarget[] {
    const targets = [...view.leases.values()].flatMap((lease) => {
      const id = lease.id;
      const answer = id === undefined ? undefined : view.deployments.get(deploymentKey(id));
      return answer === undefined ? [] : [this.#target(lease, answer)];
    });
    // A successor in the same datacenter comes after what it replaces.
    targets.sort((a, b) => (a.record.id?.generation ?? 0) - (b.record.id?.generation ?? 0));
    this.#remember(targets);
    return targets;
  }

  /** A manifest that is held. Undefined: it is not here, or can't be read. */
  manifest(deployment: string, version: string): Manifest | undefined {
    const { store } = this.#options;
    if (!store.has(deployment, version)) return undefined;
    const known = this.#parsed.get(version);
    if (known !== undefined) return known;
    const envelope = store.get(deployment, version);
    return envelope === undefined ? undefined : this.#read(version, envelope);
  }

  #target(lease: Lease, answer: QueryDeploymentResponse): LeaseTarget {
    const placement = this.#placement(lease);
    const wanted = Buffer.from(answer.deployment?.version ?? []).toString("hex");
    const entries = answer.deployment?.manifestEntries ?? 0;
    const base = { placement, record: lease, successor: isSuccessor(lease, answer) };
    const manifest = this.manifest(placement.deployment, wanted);
    let problem = manifest === undefined ? `version ${wanted.slice(0, 12)} is not here yet` : undefined;
    if (manifest !== undefined) {
      const complete = entryCount(manifest) >= entries;
      const fitted = complete ? fit(placement, manifest, lease) : this.#fitKept(placement, manifest, lease);
      if ("workloads" in fitted) return { ...base, version: wanted, current: true, complete, ...fitted };
      problem = fitted.problem;
    }
    const last = this.#last(placement.lease);
    const before = last === undefined ? undefined : this.manifest(placement.deployment, last);
    const why = problem === undefined ? {} : { problem };
    const fitted = before === undefined ? undefined : this.#fitKept(placement, before, lease);
    if (last === undefined || fitted === undefined || !("workloads" in fitted)) {
      return { ...base, current: false, complete: false, workloads: [], ...why };
    }
    return { ...base, version: last, current: false, complete: false, ...fitted, ...why };
  }

  /**
   * What a manifest that may be incomplete names, besides what the last complete one did: what it leaves out is
   * neither stopped nor cut, and its workloads keep the connections that they have.
   * design: "Changing it" (holders start what it names and stop nothing).
   */
  #fitKept(placement: Placement, manifest: Manifest, lease: Lease): Fit {
    const version = this.#options.records.get(wholePrefix + placement.lease)?.toString("utf8");
    const whole = version === undefined ? undefined : this.manifest(placement.deployment, version);
    if (whole === undefined || whole === manifest) return fit(placement, manifest, lease);
    const kept: Manifest = {
      ...manifest,
      workloads: { ...whole.workloads, ...manifest.workloads },
      connections: { ...whole.connections, ...manifest.connections },
    };
    const fitted = fit(placement, kept, lease);
    return "workloads" in fitted ? fitted : fit(placement, manifest, lease);
  }

  #placement(lease: Lease): Placement {
    const { chainId, datacenter, isolation, region } = this.#options;
    const id = lease.id ?? { tenant: "", sequence: 0n, infrastructure: "", generation: 0 };
    return {
      chainId,
      datacenter,
      region,
      isolation,
      deployment: deploymentKey(id),
      lease: orderKey(id),
      infrastructure: id.infrastructure,
    };
  }

  #remember(targets: readonly LeaseTarget[]): void {
    const { records, store } = this.#options;
    const leases = new Set<string>();
    const run = new Map<string, Set<string>>();
    for (const { placement, version, current, complete } of targets) {
      leases.add(placement.lease);
      if (version === undefined) continue;
      if (current) this.#note(prefix + placement.lease, version);
      if (current && complete) this.#note(wholePrefix + placement.lease, version);
      const whole = records.get(wholePrefix + placement.lease)?.toString("utf8");
      const pinned = run.get(placement.deployment) ?? new Set();
      run.set(placement.deployment, pinned.add(version).add(whole ?? version));
    }
    for (const [deployment, versions] of run) store.pin(deployment, versions);
    for (const kind of [prefix, wholePrefix]) {
      for (const name of records.names(kind)) if (!leases.has(name.slice(kind.length))) records.remove(name);
    }
    const versions = new Set(store.deployments().flatMap((deployment) => store.versions(deployment)));
    for (const version of this.#parsed.keys()) if (!versions.has(version)) this.#parsed.delete(version);
  }

  #note(name: string, version: string): void {
    const { records } = this.#options;
    if (records.get(name)?.toString("utf8") !== version) records.put(name, Buffer.from(version));
  }

  #last(lease: string): string | undefined {
    return this.#options.records.get(prefix + lease)?.toString("utf8");
  }

  #read(version: string, envelope: ManifestEnvelope): Manifest | undefined {
    const manifest = parseManifest(envelope.manifest);
    this.#parsed.set(version, manifest);
    return manifest;
  }
}

/** design: "Replacing a lease" (the old one runs until the successor has confirmed). */
function isSuccessor({ id }: Lease, { leases }: QueryDeploymentResponse): boolean {
  return leases.some(
    (other) =>
      other.state === LeaseState.ACTIVE &&
      other.id?.infrastructure === id?.infrastructure &&
      (other.id?.generation ?? 0) < (id?.generation ?? 0),
  );
}

/** The version that a lease ran last. */
const prefix = "ran/";
/** The last complete one among those. */
const wholePrefix = "whole/";

type Fit =
  | { readonly manifest: Manifest; readonly workloads: readonly TargetWorkload[] }
  | { readonly problem: string };

function fit(placement: Placement, manifest: Manifest, lease: Lease): Fit {
  const assigned = slotsOf(manifest, placement.infrastructure, lease.resources);
  if ("problem" in assigned) return assigned;
  const workloads = [...assigned.slots].map(([workload, slots]: [string, readonly Slot[]]) => ({
    lease: placement.lease,
    workload,
    instances: specifyInstances(placement, manifest, workload, slots),
  }));
  return { manifest, workloads };
}
