import type { UpdateDeployment } from "../network/driver";
import type { ActualDeployment, ActualInfrastructure, Manager, Snapshot, Terms } from "../network/snapshot";
import { keepsOpenOrder, meetsFrozenLease, sameTerms } from "./frozen-lease";
import type { Birth, Consequence, Desired, Plan, Step } from "./plan";

/** The plan that creates a deployment. */
export function planCreation(desired: Desired, birth: Birth): Plan {
  const steps: Step[] = [
    {
      kind: "transaction",
      transaction: {
        kind: "submit-deployment",
        infrastructures: desired.infrastructures,
        waitDuration: desired.waitDuration,
        version: desired.manifest?.envelope.version ?? birth.emptyVersion,
        manifestEntries: desired.manifest?.envelope.entries ?? 0,
        nonce: birth.nonce,
        clientToken: birth.clientToken,
        managers: desired.managers ?? [],
      },
    },
  ];
  if (desired.manifest !== undefined && desired.manifest.envelope.entries > 0) {
    steps.push({ kind: "deliver", version: desired.manifest.envelope.version });
  }
  const consequences = Object.entries(desired.infrastructures).map(
    ([infrastructure, after]): Consequence => ({
      infrastructure,
      outcome: "opens",
      before: undefined,
      after,
      lease: undefined,
      order: undefined,
      successor: undefined,
      volumes: [],
    }),
  );
  return { steps, consequences, costNow: 0n, costThen: highestCost(consequences) };
}

/** The plan that takes an active deployment to what is desired, by one transaction at most. */
export function planUpdate(desired: Desired, snapshot: Snapshot & { readonly deployment: ActualDeployment }): Plan {
  const actual = snapshot.deployment;
  const consequences = compareInfrastructures(desired, actual);
  const changed = consequences.filter((one) => one.outcome !== "unchanged");
  const manifest =
    desired.manifest !== undefined && desired.manifest.envelope.version !== actual.version
      ? { version: desired.manifest.envelope.version, entries: desired.manifest.envelope.entries }
      : undefined;
  const managers =
    desired.managers !== undefined && !sameManagers(desired.managers, actual.managers) ? desired.managers : undefined;
  const waitDuration = desired.waitDuration !== actual.waitDuration ? desired.waitDuration : undefined;
  const infrastructures: Record<string, Terms> = {};
  const removed: string[] = [];
  for (const { infrastructure, outcome, after } of changed) {
    if (outcome === "closes") {
      removed.push(infrastructure);
    } else if (after !== undefined) {
      infrastructures[infrastructure] = after;
    }
  }
  const steps: Step[] = [];
  if (changed.length > 0 || manifest !== undefined || managers !== undefined || waitDuration !== undefined) {
    const holders = manifest === undefined ? [] : keptHolders(consequences);
    if (manifest !== undefined && holders.length > 0) {
      steps.push({ kind: "stage", holders, version: manifest.version });
    }
    const transaction: UpdateDeployment = {
      kind: "update-deployment",
      deployment: { tenant: actual.tenant, sequence: actual.sequence },
      revision: actual.revision,
      infrastructures,
      removed,
      waitDuration,
      manifest,
      managers,
    };
    steps.push({ kind: "transaction", transaction });
  }
  if (desired.manifest !== undefined && desired.manifest.envelope.entries > 0) {
    const { version } = desired.manifest.envelope;
    if (steps.length > 0 || undelivered(desired.manifest.placedOn, version, actual).length > 0) {
      steps.push({ kind: "deliver", version });
    }
  }
  return {
    steps,
    consequences,
    costNow: rentNow(actual),
    costThen: highestCost(consequences),
    wait: waitDuration === undefined ? undefined : { before: actual.waitDuration, after: waitDuration },
    managers: managers === undefined ? undefined : { before: actual.managers, after: managers },
  };
}

/** The plan that ends a deployment. Empty where it has ended. */
export function planDeletion(actual: ActualDeployment, incarnation: bigint): Plan {
  const consequences = Object.entries(actual.infrastructures).map(
    ([infrastructure, { terms, lease, order, successor }]): Consequence => ({
      infrastructure,
      outcome: "closes",
      before: terms,
      after: undefined,
      lease,
      order,
      successor,
      volumes: [],
    }),
  );
  const deployment = { tenant: actual.tenant, sequence: actual.sequence };
  const steps: Step[] = actual.active
    ? [{ kind: "transaction", transaction: { kind: "cancel-deployment", deployment, incarnation } }]
    : [];
  return { steps, consequences, costNow: rentNow(actual), costThen: 0n };
}

/** Infrastructures with a lease on which something is placed and whose datacenter has not confirmed this version. */
export function undelivered(placedOn: readonly string[], version: string, actual: ActualDeployment): readonly string[] {
  return placedOn.filter((name) => {
    const infrastructure = actual.infrastructures[name];
    const serving = infrastructure?.successor ?? infrastructure?.lease;
    return serving !== undefined && serving.confirmedVersion !== version;
  });
}

function compareInfrastructures(desired: Desired, actual: ActualDeployment): readonly Consequence[] {
  const names = new Set([...Object.keys(actual.infrastructures), ...Object.keys(desired.infrastructures)]);
  const consequences: Consequence[] = [];
  for (const infrastructure of [...names].sort()) {
    const now = actual.infrastructures[infrastructure];
    const after = desired.infrastructures[infrastructure];
    if (after === undefined && now !== undefined && now.declaredBy !== actual.tenant) {
      // What a manager declared is an output, not drift.
      continue;
    }
    const outcome = outcomeOf(now, after);
    const ends = outcome === "closes" || outcome === "replaces-lease";
    consequences.push({
      infrastructure,
      outcome,
      before: now?.terms,
      after,
      lease: now?.lease,
      order: now?.order,
      successor: now?.successor,
      volumes: ends && now?.lease !== undefined ? (desired.manifest?.volumes[infrastructure] ?? []) : [],
    });
  }
  return consequences;
}

function outcomeOf(now: ActualInfrastructure | undefined, after: Terms | undefined): Consequence["outcome"] {
  if (after === undefined) {
    return "closes";
  }
  if (now === undefined || (now.lease === undefined && now.order === undefined)) {
    return "opens";
  }
  const { lease, order, successor } = now;
  // A lease under notice ends whatever the terms.
  const kept = lease !== undefined && lease.noticeEnd === undefined && meetsFrozenLease(after, lease);
  const pending = order !== undefined || successor !== undefined;
  if (sameTerms(now.terms, after)) {
    // A lease that does not meet its terms, with nothing on its way, is one whose replacement failed.
    return kept || pending || lease === undefined ? "unchanged" : "replaces-lease";
  }
  if (kept) {
    return "in-place";
  }
  if (order !== undefined && keepsOpenOrder(now.terms, after)) {
    return "reprices-order";
  }
  return lease === undefined ? "reopens-order" : "replaces-lease";
}

/** Datacenters that hold a lease now and still hold it when the update has been applied. */
function keptHolders(consequences: readonly Consequence[]): readonly string[] {
  const holders = consequences
    .filter(({ outcome, lease }) => outcome !== "closes" && lease !== undefined)
    .map(({ lease }) => lease?.datacenter ?? "");
  return [...new Set(holders)].sort();
}

function rentNow(actual: ActualDeployment): bigint {
  return Object.values(actual.infrastructures).reduce((sum, { lease }) => sum + (lease?.rate ?? 0n), 0n);
}

/** A lease that stays costs its frozen rate; whatever is ordered costs its maximum at most. */
function highestCost(consequences: readonly Consequence[]): bigint {
  return consequences.reduce((sum, { outcome, lease, after }) => {
    if (after === undefined) {
      return sum;
    }
    const stays = lease !== undefined && (outcome === "unchanged" || outcome === "in-place");
    return sum + (stays ? lease.rate : highestRate(after));
  }, 0n);
}

/** The most that these terms can cost, as a rate. */
export function highestRate(terms: Terms): bigint {
  return terms.resources.reduce((sum, group) => sum + group.price * BigInt(group.count), 0n);
}

export function sameManagers(a: readonly Manager[], b: readonly Manager[]): boolean {
  const ordered = (managers: readonly Manager[]): readonly Manager[] =>
    [...managers].sort((x, y) => (x.address < y.address ? -1 : 1));
  const others = ordered(b);
  return (
    a.length === b.length &&
    ordered(a).every((one, index) => {
      const other = others[index];
      return other !== undefined && sameManager(one, other);
    })
  );
}

function sameManager(a: Manager, b: Manager): boolean {
  const sameTexts = (x: readonly string[], y: readonly string[]): boolean =>
    x.length === y.length && x.every((text, index) => text === y[index]);
  return (
    a.address === b.address &&
    a.maxRate === b.maxRate &&
    a.maxCount === b.maxCount &&
    a.mayChangeVersion === b.mayChangeVersion &&
    a.endHeight === b.endHeight &&
    sameTexts(a.regions, b.regions) &&
    sameTexts(a.datacenters, b.datacenters)
  );
}
