import { entryDigest, entryKey, formatRatePerHour, type Manifest } from "@dcx/protocol";
import {
  connected,
  leased,
  type Missing,
  type Naming,
  naming,
  serves,
  unservedHosts,
  type Verdict,
  workloadRuns,
} from "../../await/conditions";
import { type HolderView, HolderWatch } from "../../await/holder-watch";
import { type Deadline, type Progress, WaitFailed, waitFor } from "../../await/wait";
import type { DeploymentKey, NetworkDriver } from "../../network/driver";
import type { Envelope, Snapshot } from "../../network/snapshot";
import { connectionPlaces, placedOn } from "../../plan/manifest";
import type { Places } from "./outputs";

export interface DeploymentGoal {
  /** Infrastructures that must be leased. */
  readonly infrastructures: readonly string[];
  /** What must run; absent: leases are all that is awaited. */
  readonly manifest: { readonly envelope: Envelope; readonly content: Manifest } | undefined;
  /** Where nothing is declared inline: the empty manifest, if that is what the chain names. */
  readonly empty?: Envelope | undefined;
  /** How the deployment is called in `dcx logs`. */
  readonly name: string;
}

export interface Arrived {
  readonly snapshot: Snapshot;
  readonly places: Places;
  /** Own host names that are not served, and why. */
  readonly unserved: readonly string[];
}

/**
 * A deployment is done when every infrastructure has an active lease and none is being replaced, every holder that
 * something is placed on runs the manifest, every workload is ready and every connection carries traffic. The manifest
 * is handed over to holders as they come.
 */
export async function awaitDeployment(
  driver: NetworkDriver,
  deployment: DeploymentKey,
  goal: DeploymentGoal,
  deadline: Deadline,
  status: (line: string) => void,
): Promise<Arrived> {
  using watch = new HolderWatch(driver, deployment, () => goal.manifest?.envelope ?? goal.empty, deadline.signal);
  const words = naming(await driver.parameters(deadline.signal), await driver.datacenters(deadline.signal));
  let height = 0n;
  return await waitFor<Arrived>({
    deadline,
    status,
    async look() {
      const snapshot = await driver.snapshot(deployment, deadline.signal);
      height = snapshot.height;
      const progress = lookAt(snapshot, goal, watch, words);
      if (progress.done) {
        status(leasesLine(snapshot, goal.infrastructures, words));
      }
      return progress;
    },
    next: (signal) => Promise.race([driver.waitForHeight(height, signal), watch.changed()]),
  });
}

function leasesLine({ deployment }: Snapshot, infrastructures: readonly string[], words: Naming): string {
  return infrastructures
    .flatMap((name) => {
      const lease = deployment?.infrastructures[name]?.lease;
      const rate = lease === undefined ? "" : formatRatePerHour(lease.rate, words.parameters.blockInterval);
      return lease === undefined ? [] : [`${name}: ${rate} (${words.name(lease.datacenter)})`];
    })
    .join(", ");
}

function lookAt(snapshot: Snapshot, goal: DeploymentGoal, watch: HolderWatch, words: Naming): Progress<Arrived> {
  // A successor takes over once it has the manifest, also where nothing is placed on it.
  for (const { successor } of Object.values(snapshot.deployment?.infrastructures ?? {})) {
    if (successor !== undefined) {
      watch.watch(successor.datacenter);
    }
  }
  const missing = missingVerdicts(snapshot, goal, (holder) => watch.watch(holder), words);
  if (missing.some(({ hopeless }) => hopeless)) {
    throw new WaitFailed(missing.filter(({ hopeless }) => hopeless).map((verdict) => verdict.missing));
  }
  const [first] = missing;
  if (first === undefined) {
    const connections = globalConnections(snapshot, goal, watch);
    const unserved = connections.flatMap(({ name, view }) => unservedHosts(name, view));
    return { done: true, value: { snapshot, places: placesOf(goal, connections), unserved } };
  }
  const more = missing.length > 1 ? ` (${missing.length - 1} more to come)` : "";
  return { done: false, line: `${first.missing}${more}`, reasons: missing.map((verdict) => verdict.missing) };
}

/** What a holder says; `undefined`: it is not to be asked, what the chain says of it is enough. */
export type ViewOf = (holder: string) => HolderView | undefined;

/** All that keeps a deployment from being done. */
export function missingVerdicts(
  snapshot: Snapshot,
  goal: DeploymentGoal,
  view: ViewOf,
  words: Naming,
): readonly Missing[] {
  const verdicts = goal.infrastructures.map((name) => leased(name, snapshot, words));
  if (goal.manifest !== undefined) {
    verdicts.push(...manifestVerdicts(snapshot, goal.manifest, goal.name, view, words));
  }
  return verdicts.flatMap((verdict) => (verdict.met ? [] : [verdict]));
}

function manifestVerdicts(
  snapshot: Snapshot,
  { envelope, content }: NonNullable<DeploymentGoal["manifest"]>,
  deploymentName: string,
  view: ViewOf,
  words: Naming,
): readonly Verdict[] {
  const asked = (infrastructure: string): readonly (readonly [string, HolderView])[] =>
    holdersOf(snapshot, infrastructure).flatMap((holder) => {
      const said = view(holder);
      return said === undefined ? [] : [[holder, said] as const];
    });
  const verdicts = placedOn(content).flatMap((infrastructure) =>
    asked(infrastructure).map(([holder, said]) => serves(envelope.version, holder, said, words)),
  );
  if (verdicts.some(({ met }) => !met)) {
    return verdicts;
  }
  for (const [name, workload] of Object.entries(content.workloads)) {
    for (const [, said] of asked(workload.infrastructure)) {
      const digest = entryDigest(content.salt, entryKey("workloads", name), workload);
      const log = `dcx logs ${deploymentName} ${name}`;
      verdicts.push(workloadRuns({ name, count: workload.count ?? 1, digest, until: "ready", log }, said));
    }
  }
  for (const [name, connection] of Object.entries(content.connections)) {
    const digest = entryDigest(content.salt, entryKey("connections", name), connection);
    for (const place of connectionPlaces(content, name)) {
      for (const [, said] of asked(place)) {
        verdicts.push(connected(name, digest, said));
      }
    }
  }
  return verdicts;
}

/** The datacenter that leases this infrastructure, and the one that takes it over. */
export function holdersOf(snapshot: Snapshot, infrastructure: string): readonly string[] {
  const one = snapshot.deployment?.infrastructures[infrastructure];
  const serving = one?.successor ?? one?.lease;
  return serving === undefined ? [] : [serving.datacenter];
}

interface GlobalConnection {
  readonly name: string;
  readonly view: HolderView;
}

/** Each with what those say that it is reached at. */
function globalConnections(snapshot: Snapshot, goal: DeploymentGoal, watch: HolderWatch): readonly GlobalConnection[] {
  const content = goal.manifest?.content;
  if (content === undefined) return [];
  return Object.entries(content.connections)
    .filter(([, { from }]) => from.global === true)
    .flatMap(([name]) => connectionPlaces(content, name).map((place) => ({ name, place })))
    .flatMap(({ name, place }) => holdersOf(snapshot, place).map((holder) => ({ name, view: watch.watch(holder) })));
}

function placesOf(goal: DeploymentGoal, connections: readonly GlobalConnection[]): Places {
  const addresses: Record<string, string> = {};
  const rawAddresses: Record<string, string> = {};
  for (const [name, { from, port, to }] of Object.entries(goal.manifest?.content.connections ?? {})) {
    if (from.global !== true) addresses[name] = `${to}:${port}`;
  }
  for (const { name, view } of connections) {
    const { address, rawAddress } = view.status?.connections[name] ?? {};
    if (address !== undefined) addresses[name] = address;
    if (rawAddress !== undefined) rawAddresses[name] = rawAddress;
  }
  return { addresses, rawAddresses };
}
