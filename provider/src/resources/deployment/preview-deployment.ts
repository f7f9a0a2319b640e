import type { Manifest } from "@dcx/protocol";
import { WaitFailed } from "../../await/wait";
import type { DeploymentKey } from "../../network/driver";
import type { ActualDeployment, Snapshot } from "../../network/snapshot";
import { openManifest } from "../../plan/manifest";
import type { Consequence, Step } from "../../plan/plan";
import { planCreation } from "../../plan/plan-deployment";
import { planTakeOver } from "../../plan/plan-take-over";
import { renderReport } from "../../plan/render";
import { Unknown, type Value, type ValueMap } from "../../wire/value";
import { findManifest } from "../current-manifest";
import { deploymentId, keyOf, whereabouts } from "../identity";
import { isMap } from "../inputs/shape";
import type { CallContext, CreateRequest, CreateResult, UpdateRequest } from "../resource";
import type { Session } from "../session";
import { desiredState } from "./desired-state";
import { canForesee, entriesKnown, type Foreseen, foreseeCreation, foreseeUpdate } from "./foresee";
import { inlineManifest, isInline, type SealedManifest } from "./inline-manifest";
import { foretoldPlaces } from "./outputs";
import { claimInline } from "./take-over";

const unknown: Value = Unknown.instance;

/**
 * Prints the plan of a creation; its outputs are known as far as they follow from the inputs. The version does not: its
 * salt is drawn by the creation (docs/reference/manifest.md says why no preview can know it).
 */
export async function previewCreation(
  session: Session,
  { inputs }: CreateRequest,
  context: CallContext,
): Promise<CreateResult> {
  const foreseen = canForesee(inputs) ? await foreseeNew(session, inputs, context) : undefined;
  if (foreseen !== undefined) {
    context.log("info", renderReport(foreseen.report));
  }
  const places =
    foreseen?.sealed === undefined
      ? { addresses: unknown, rawAddresses: unknown }
      : foretoldPlaces(undefined, foreseen.sealed.content, {}, new Set());
  return {
    id: "",
    state: {
      ...inputs,
      deploymentId: unknown,
      leases: unknown,
      incarnation: unknown,
      ...(isInline(inputs) ? { version: unknown, ...places } : {}),
    },
  };
}

/** What a creation would do: where an earlier run, or the resource that it replaces, has made it, it is taken over. */
async function foreseeNew(session: Session, inputs: ValueMap, { urn, signal }: CallContext): Promise<Foreseen> {
  const { driver } = session;
  if ((await session.identify(signal)) === undefined) {
    return foreseeCreation(session, inputs, undefined, signal);
  }
  const token = await driver.clientToken(urn, session.settings.namespace, signal);
  const snapshot = await driver.findByToken(token, signal);
  const { deployment } = snapshot;
  if (deployment === undefined || !deployment.active) {
    return foreseeCreation(session, inputs, snapshot.balance, signal);
  }
  const sealed = entriesKnown(inputs) ? await sealedFor(session, inputs, deployment, urn, signal) : undefined;
  const found = sealed === undefined ? undefined : await findManifest(session, deployment, signal);
  // A create does not look first: it submits all of it, and learns from the answer that it is there.
  const birth = { clientToken: token, nonce: deployment.nonce, emptyVersion: deployment.version };
  const { steps } = planCreation(desiredState(inputs, sealed, await session.parameters(signal)), birth);
  return foreseeUpdate(session, inputs, { ...snapshot, deployment }, sealed, signal, {
    before: found?.kind === "found" ? openManifest(found.envelope) : undefined,
    first: steps.filter(({ kind }) => kind === "transaction"),
    notes: ["it is there already, from a run that did not record it or from what this replaces: it is taken over"],
  });
}

/** Prints the plan of an update, and answers its outputs: unknown is only what the update will find out. */
export async function previewUpdate(session: Session, request: UpdateRequest, context: CallContext): Promise<ValueMap> {
  const { inputs, oldInputs, oldState } = request;
  const { signal } = context;
  const id = deploymentId(request.id);
  await whereabouts(session, id, signal);
  const state: Record<string, Value> = { ...inputs };
  for (const output of ["deploymentId", "incarnation"]) {
    state[output] = oldState[output] ?? unknown;
  }
  const outputs = isInline(inputs) ? { version: unknown, addresses: unknown, rawAddresses: unknown } : {};
  if (!canForesee(inputs)) {
    return { ...state, leases: unknown, ...outputs };
  }
  const snapshot = await existing(session, request.id, keyOf(id), signal);
  const { deployment } = snapshot;
  const sealed = entriesKnown(inputs) ? await sealedFor(session, inputs, deployment, context.urn, signal) : undefined;
  const { before, first } = await declaredNow(session, request, deployment, sealed, context);
  const foresight = { before, first, notes: first.length > 0 ? [TAKES_OVER] : [] };
  const { plan, report } = await foreseeUpdate(session, inputs, snapshot, sealed, signal, foresight);
  if (first.length > 0) {
    state["incarnation"] = unknown;
  }
  const sends = report.transactions.length > 0 || (isInline(inputs) && sealed === undefined);
  context.log("info", sends ? renderReport(report) : nothingToSend(sealed, inputs, oldInputs));
  state["leases"] = foretoldLeases(plan.consequences, oldState["leases"]);
  if (sealed === undefined) {
    return { ...state, ...outputs };
  }
  const moving = plan.consequences.filter(({ outcome }) => !KEEPS_LEASE.has(outcome));
  const places = new Set(moving.map(({ infrastructure }) => infrastructure));
  return {
    ...state,
    version: sealed.envelope.version,
    ...foretoldPlaces(before, sealed.content, oldState, places),
  };
}

const TAKES_OVER = "takes it over from the stack that has declared it until now";
const KEEPS_LEASE: ReadonlySet<Consequence["outcome"]> = new Set(["unchanged", "in-place"]);

/** Leases that stay are as they were; what others will be is found out. */
function foretoldLeases(consequences: readonly Consequence[], known: Value | undefined): Value {
  const old = known !== undefined && isMap(known) ? known : {};
  const leases: Record<string, Value> = {};
  for (const { infrastructure, outcome, lease } of consequences) {
    const was = old[infrastructure];
    const settled =
      was !== undefined && isMap(was) && was["state"] === "active" && was["datacenter"] === lease?.datacenter;
    if (outcome !== "closes") {
      leases[infrastructure] = KEEPS_LEASE.has(outcome) && settled ? was : unknown;
    }
  }
  // A manager's are no part of the plan, and stay.
  const others = Object.entries(old).filter(([name]) => !consequences.some((one) => one.infrastructure === name));
  return { ...Object.fromEntries(others), ...leases };
}

async function sealedFor(
  session: Session,
  inputs: ValueMap,
  actual: ActualDeployment,
  urn: string,
  signal: AbortSignal,
): Promise<SealedManifest | undefined> {
  if (!isInline(inputs)) {
    return undefined;
  }
  const salt = await session.driver.manifestSalt(actual.clientToken, actual.nonce, signal);
  return inlineManifest(inputs, salt, await session.owner(urn, signal));
}

/**
 * The manifest that the chain names, where a holder has it, and what it takes to become its declarer.
 * @throws {NetworkError} as the update would, where somebody else declares what is in it
 */
async function declaredNow(
  session: Session,
  { id, oldState }: UpdateRequest,
  actual: ActualDeployment,
  sealed: SealedManifest | undefined,
  { urn, signal }: CallContext,
): Promise<{ readonly before: Manifest | undefined; readonly first: readonly Step[] }> {
  const found = sealed === undefined ? undefined : await findManifest(session, actual, signal);
  if (found?.kind !== "found") {
    return { before: undefined, first: [] };
  }
  const claim = await claimInline(session, { id, urn, state: oldState }, actual, found.envelope.stamps, signal);
  return {
    before: openManifest(found.envelope),
    first: claim === "takes-over" ? planTakeOver(actual).steps : [],
  };
}

/** @throws {WaitFailed} where it has ended */
export async function existing(
  session: Session,
  id: string,
  key: DeploymentKey,
  signal: AbortSignal,
): Promise<Snapshot & { readonly deployment: ActualDeployment }> {
  const snapshot = await session.driver.snapshot(key, signal);
  const { deployment } = snapshot;
  if (deployment === undefined || !deployment.active) {
    throw new WaitFailed([
      `deployment ${id} has been cancelled; \`pulumi refresh\` records that, and \`pulumi up\` makes a new one`,
    ]);
  }
  return { ...snapshot, deployment };
}

/** Why an update that sends nothing is worth an update. */
function nothingToSend(sealed: SealedManifest | undefined, inputs: ValueMap, oldInputs: ValueMap): string {
  if (sealed !== undefined && !isInline(oldInputs)) {
    const names = [...Object.keys(sealed.content.workloads), ...Object.keys(sealed.content.connections)].join(", ");
    return `declares ${names} inline from now on; they go on as they run, no transaction`;
  }
  if (!isInline(inputs) && isInline(oldInputs)) {
    return "leaves its workloads and connections to resources of their own; they go on as they run, no transaction";
  }
  const [limit, old] = [inputs["maxCostPerMonth"], oldInputs["maxCostPerMonth"]];
  if (limit !== old) {
    const said = typeof limit === "string" ? `at most ${limit} a month` : "no limit";
    return `${said} from now on; what is leased meets it, no transaction`;
  }
  return "no transaction; waits until all of it is done";
}
