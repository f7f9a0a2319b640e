import { randomBytes } from "node:crypto";
import type { Manifest } from "@dcx/protocol";
import { naming } from "../../await/conditions";
import { NetworkError, type NetworkIdentity, type Transaction } from "../../network/driver";
import type { ActualDeployment, Snapshot } from "../../network/snapshot";
import { describeEntries, type EntryChange } from "../../plan/describe-entries";
import { fundsNotes } from "../../plan/funds";
import type { Plan, Step } from "../../plan/plan";
import { planCreation, planUpdate } from "../../plan/plan-deployment";
import { type PlanReport, reportPlan } from "../../plan/report";
import type { ValueMap } from "../../wire/value";
import { containsUnknown } from "../inputs/shape";
import type { Session } from "../session";
import { desiredState } from "./desired-state";
import { foreseeOffers } from "./foresee-offers";
import { inlineManifest, isInline, type SealedManifest } from "./inline-manifest";

/** What would happen, found out without changing anything. */
export interface Foreseen {
  readonly plan: Plan;
  readonly report: PlanReport;
  /** Absent: nothing is declared inline, or what is is not known yet. */
  readonly sealed: SealedManifest | undefined;
  /** The manifest that is there now, where it could be had. */
  readonly before: Manifest | undefined;
}

export interface Foresight {
  /** Transactions that come before those of the plan. */
  readonly first?: readonly Step[];
  readonly before?: Manifest | undefined;
  readonly changes?: PlanReport["changes"];
  readonly notes?: readonly string[];
}

/** Whether enough is known for a plan: what infrastructures are and how they are ordered. */
export function canForesee(inputs: ValueMap): boolean {
  return !["infrastructures", "waitDuration", "managers"].some((name) => containsUnknown(inputs[name]));
}

/** Whether what runs is known, where it is declared inline. */
export function entriesKnown(inputs: ValueMap): boolean {
  return !containsUnknown(inputs["workloads"]) && !containsUnknown(inputs["connections"]);
}

/**
 * @param inputs normal, and such that `canForesee`
 * @param balance of the tenant in micro-units; absent: there is no network yet, or no signer
 */
export async function foreseeCreation(
  session: Session,
  inputs: ValueMap,
  balance: bigint | undefined,
  signal: AbortSignal,
  foresight: Foresight = {},
): Promise<Foreseen> {
  const identity = await session.identify(signal);
  const parameters = await session.parameters(signal);
  const known = isInline(inputs) && entriesKnown(inputs);
  // Its salt is made when it is created: what is planned has the size of what will be sent, and another hash.
  const sealed = known ? inlineManifest(inputs, "0".repeat(64), "") : undefined;
  const random = (): string => randomBytes(32).toString("hex");
  const birth = { clientToken: random(), nonce: random(), emptyVersion: random() };
  const plan = planCreation(desiredState(inputs, sealed, parameters), birth);
  const entries = sealed === undefined ? [] : describeEntries(undefined, sealed.content);
  const datacenters = identity === undefined ? [] : await session.datacenters(signal);
  const { fees, notes, digests, offers } = await foundOut(
    session,
    plan,
    identity,
    sealed,
    entries,
    datacenters,
    signal,
  );
  const report = reportPlan(plan, {
    identity,
    parameters,
    fees,
    digests,
    offers,
    name: naming(parameters, datacenters).name,
    entries: sealed === undefined ? [] : describeEntries(undefined, sealed.content, digests),
    notes: [
      ...(foresight.notes ?? []),
      ...unknownNotes(inputs),
      ...notes,
      ...(balance === undefined ? [] : fundsNotes(balance, fees, plan.costThen, parameters.blockInterval)),
    ],
  });
  return { plan, report, sealed, before: undefined };
}

/** @param inputs as for `foreseeCreation` */
export async function foreseeUpdate(
  session: Session,
  inputs: ValueMap,
  snapshot: Snapshot & { readonly deployment: ActualDeployment },
  sealed: SealedManifest | undefined,
  signal: AbortSignal,
  foresight: Foresight = {},
): Promise<Foreseen> {
  const { deployment, balance } = snapshot;
  const [identity, parameters] = await Promise.all([session.identify(signal), session.parameters(signal)]);
  const update = planUpdate(desiredState(inputs, sealed, parameters), snapshot);
  const plan: Plan = { ...update, steps: [...(foresight.first ?? []), ...update.steps] };
  const entries = sealed === undefined ? [] : describeEntries(foresight.before, sealed.content);
  const sends = plan.steps.some(({ kind }) => kind === "transaction");
  const datacenters = sends ? await session.datacenters(signal) : [];
  const { fees, notes, digests, offers } = await foundOut(
    session,
    plan,
    identity,
    sealed,
    entries,
    datacenters,
    signal,
  );
  const report = reportPlan(plan, {
    identity,
    parameters,
    fees,
    deployment,
    digests,
    offers,
    name: naming(parameters, datacenters).name,
    entries: sealed === undefined ? [] : describeEntries(foresight.before, sealed.content, digests),
    changes: foresight.changes,
    version: {
      before: deployment.version,
      after: isInline(inputs) ? (sealed?.envelope.version ?? null) : deployment.version,
    },
    notes: [
      ...(foresight.notes ?? []),
      ...unknownNotes(inputs),
      ...notes,
      ...(sends ? fundsNotes(balance, fees, plan.costThen, parameters.blockInterval) : []),
    ],
  });
  return { plan, report, sealed, before: foresight.before };
}

/** What of a plan only others can tell: fees, digests of images, and who would serve what it orders. */
async function foundOut(
  session: Session,
  { steps, consequences }: Plan,
  identity: NetworkIdentity | undefined,
  sealed: SealedManifest | undefined,
  entries: readonly EntryChange[],
  datacenters: Awaited<ReturnType<Session["datacenters"]>>,
  signal: AbortSignal,
) {
  const [fees, digests, offers] = await Promise.all([
    feesOf(session, steps, identity, signal),
    digestsOf(session, sealed, entries, signal),
    foreseeOffers(session, consequences, datacenters, signal),
  ]);
  return { ...fees, digests, offers };
}

function unknownNotes(inputs: ValueMap): readonly string[] {
  return isInline(inputs) && !entriesKnown(inputs)
    ? ["what runs on it is told once all of its workloads and connections are known; a change of it is a transaction"]
    : [];
}

async function feesOf(
  session: Session,
  steps: readonly Step[],
  identity: NetworkIdentity | undefined,
  signal: AbortSignal,
): Promise<Fees> {
  const notes: string[] = [];
  if (identity === undefined) {
    return { fees: [], notes };
  }
  const estimate = async (transaction: Transaction): Promise<bigint | undefined> => {
    try {
      return await session.driver.estimateFee(transaction, signal);
    } catch (error) {
      signal.throwIfAborted();
      if (error instanceof NetworkError && error.code === "limit") {
        // A preview refuses what `up` would refuse.
        throw error;
      }
      notes.push(`the fee is not told: ${error instanceof Error ? error.message : String(error)}`);
      return undefined;
    }
  };
  const transactions = steps.flatMap((step) => (step.kind === "transaction" ? [step.transaction] : []));
  return { fees: await Promise.all(transactions.map(estimate)), notes };
}

interface Fees {
  readonly fees: readonly (bigint | undefined)[];
  /** Why one is not told. */
  readonly notes: readonly string[];
}

/** What the tags of images that begin to run stand for. */
async function digestsOf(
  session: Session,
  sealed: SealedManifest | undefined,
  entries: readonly EntryChange[],
  signal: AbortSignal,
): Promise<ReadonlyMap<string, string>> {
  const workloads = entries.flatMap(({ kind, name, action }) =>
    kind === "workloads" && action !== "remove" ? [sealed?.content.workloads[name]] : [],
  );
  return session.images.resolve(
    workloads.flatMap((one) => (one === undefined ? [] : [one.container])),
    signal,
  );
}
