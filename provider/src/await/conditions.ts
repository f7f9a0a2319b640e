import { formatRatePerHour, type InstanceStatus, type WorkloadStatus } from "@dcx/protocol";
import type { DatacenterRecord, NetworkParameters } from "../network/driver";
import type { ActualInfrastructure, Snapshot } from "../network/snapshot";
import type { HolderView } from "./holder-watch";

/**
 * Conditions: each looks at one thing and says whether it is met, what is missing for a status line, and whether it
 * can't be met any more. They are pure; waits compose them.
 */
export type Verdict = { readonly met: true } | Missing;

export interface Missing {
  readonly met: false;
  readonly missing: string;
  readonly hopeless?: boolean;
}

const met: Verdict = { met: true };

export interface Naming {
  readonly parameters: NetworkParameters;
  /** How a datacenter is called. */
  name(address: string): string;
  /** How many datacenters there are in a region; an empty one: in all. */
  count(region: string): number;
}

export function naming(parameters: NetworkParameters, datacenters: readonly DatacenterRecord[]): Naming {
  const names = new Map(datacenters.map(({ address, name }) => [address, name]));
  return {
    parameters,
    name: (address) => names.get(address) ?? address,
    count: (region) => datacenters.filter((one) => region === "" || one.region === region).length,
  };
}

/** An infrastructure has an active lease, and no order or successor is about to replace it. */
export function leased(name: string, snapshot: Snapshot, words: Naming): Verdict {
  const infrastructure = snapshot.deployment?.infrastructures[name];
  if (infrastructure === undefined) {
    return { met: false, missing: `${name}: not on the chain yet` };
  }
  if (infrastructure.order !== undefined) {
    return { met: false, missing: `${name}: ${orderLine(infrastructure, snapshot.height, words)}` };
  }
  if (infrastructure.successor !== undefined) {
    const { datacenter } = infrastructure.successor;
    return { met: false, missing: `${name}: ${words.name(datacenter)} takes over; the lease runs until it serves` };
  }
  if (infrastructure.lease !== undefined) {
    return met;
  }
  const { ended } = infrastructure;
  const why = ended === undefined ? "" : `: its ${ended.what} ended (${ended.reason}) at block ${ended.height}`;
  return { met: false, missing: `${name}: no lease${why}`, hopeless: true };
}

function orderLine({ order, terms }: ActualInfrastructure, height: bigint, words: Naming): string {
  if (order === undefined) {
    return "";
  }
  const all = words.count(terms.region);
  const [cheapest] = [...order.offers].sort((a, b) => (a.rate < b.rate ? -1 : 1));
  const answered =
    cheapest === undefined
      ? `none of ${all} ${all === 1 ? "datacenter" : "datacenters"} has bid`
      : `${order.offers.length} of ${all} ${all === 1 ? "datacenter" : "datacenters"} answered, cheapest ` +
        `${formatRatePerHour(cheapest.rate, words.parameters.blockInterval)} (${words.name(cheapest.datacenter)})`;
  const blocks = order.dueHeight - height;
  const matching =
    blocks > 0n
      ? `; matching in ${blocks} ${blocks === 1n ? "block" : "blocks"}`
      : cheapest === undefined
        ? "; the first bid wins"
        : "; matching";
  return `${answered}${matching}`;
}

/** A holder runs this version of the manifest. */
export function serves(version: string, datacenter: string, view: HolderView, words: Naming): Verdict {
  if (view.problem !== undefined) {
    return { met: false, missing: `${words.name(datacenter)}: ${view.problem}` };
  }
  if (view.status?.version === version && view.status.complete) {
    return met;
  }
  return { met: false, missing: `${words.name(datacenter)}: handing over the manifest` };
}

export interface WorkloadExpectation {
  readonly name: string;
  readonly count: number;
  /** Of the entry as it should run. */
  readonly digest: string;
  /** `ready`: health checks pass. `started`: every instance runs. */
  readonly until: "ready" | "started";
  /** How a person gets its log. */
  readonly log: string;
}

/** All instances of a workload run as its entry now says. */
export function workloadRuns(expected: WorkloadExpectation, view: HolderView): Verdict {
  const workload = view.status?.workloads[expected.name];
  if (workload === undefined) {
    return { met: false, missing: `${expected.name}: not started yet` };
  }
  // None while the instances of two versions stand beside one another: then it is not done.
  const rolled = workload.entryDigest === expected.digest;
  const good = workload.instances.filter(({ state }) => counts(state, expected.until)).length;
  if (rolled && good >= expected.count && workload.instances.length <= expected.count) {
    return met;
  }
  return { met: false, missing: workloadLine(expected, workload, good) };
}

function counts(state: InstanceStatus["state"], until: "ready" | "started"): boolean {
  return state === "ready" || (until === "started" && (state === "running" || state === "unhealthy"));
}

function workloadLine(expected: WorkloadExpectation, workload: WorkloadStatus, good: number): string {
  const word = expected.until === "ready" ? "ready" : "started";
  const told = workload.instances
    .filter(({ state }) => !counts(state, expected.until))
    .map(({ index, state, message }) => `instance ${index + 1}${instanceLine(state, message, expected.log)}`);
  const [first] = told;
  const more = told.length > 1 ? ` (and ${told.length - 1} more)` : "";
  return `${expected.name}: ${good} of ${expected.count} ${word}${first === undefined ? "" : `; ${first}${more}`}`;
}

function instanceLine(state: InstanceStatus["state"], message: string | undefined, log: string): string {
  if (message === undefined) {
    return ` is ${state}`;
  }
  const failing = state === "exited" || state === "failed" || state === "unhealthy";
  return `${failing ? " " : ": "}${message}${failing ? ` (log: ${log})` : ""}`;
}

/**
 * A connection carries traffic, as its source's holder says (a global one: its target's).
 * @param digest of the entry as it should be: what the holder says of another one counts for nothing
 */
export function connected(name: string, digest: string, view: HolderView): Verdict {
  const connection = view.status?.connections[name];
  const known = connection?.entryDigest === digest ? connection : undefined;
  if (known?.established === true) {
    return met;
  }
  return { met: false, missing: `${name}: ${known?.message ?? "not connected yet"}` };
}

/** The own host names of a connection that its datacenter does not serve, and why: they keep nothing from being done. */
export function unservedHosts(name: string, view: HolderView): readonly string[] {
  return Object.entries(view.status?.connections[name]?.hosts ?? {}).flatMap(([host, { served, message }]) =>
    served ? [] : [`${name}: ${host} is not served${message === undefined ? "" : `: ${message}`}`],
  );
}
