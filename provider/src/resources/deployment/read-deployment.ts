import type { Manifest, Stamps } from "@dcx/protocol";
import { NetworkError } from "../../network/driver";
import type { ActualDeployment } from "../../network/snapshot";
import { openManifest } from "../../plan/manifest";
import type { Value, ValueMap } from "../../wire/value";
import { findManifest, LOOKS } from "../current-manifest";
import { NONCE } from "../entries/ownership";
import { deploymentId, keyOf, nameOf, whereabouts } from "../identity";
import { importMark } from "../imported";
import { connectionInputs, workloadInputs } from "../inputs/manifest-entries";
import { containsUnknown, isMap } from "../inputs/shape";
import { type CallContext, PartialFailure, type ReadRequest, type ReadResult } from "../resource";
import type { Session } from "../session";
import { INLINE, inlineManifest, isInline, type SealedManifest } from "./inline-manifest";
import { deploymentOutputs, placesOutputs } from "./outputs";
import { readPlaces } from "./read-places";
import { type Declarer, importedNonce, isNewer, sharedNonce, takenOver, takenOverText } from "./take-over";
import { infrastructuresInputs, managersInputs, waitInputs } from "./terms-inputs";
import { unfinished } from "./unfinished";

/** What is there now, in the words of the inputs where they still mean it. Gone only where the chain says so. */
export function readDeployment(session: Session, request: ReadRequest, context: CallContext): Promise<ReadResult> {
  return read(session, request, context, LOOKS);
}

/** @param looks how often it may be looked at: again where somebody changed it while its holders were asked */
async function read(session: Session, request: ReadRequest, context: CallContext, looks: number): Promise<ReadResult> {
  const { signal } = context;
  const id = deploymentId(request.id);
  if ((await whereabouts(session, id, signal)) === "gone") {
    return undefined;
  }
  const { driver } = session;
  const known = request.inputs;
  if (known === undefined) {
    // An import takes what there is this moment: what it finds is what it may change.
    session.forget(keyOf(id));
  }
  const snapshot = await session.snapshot(keyOf(id), signal);
  session.noteRead(keyOf(id), snapshot);
  const { deployment } = snapshot;
  if (deployment === undefined || !deployment.active) {
    return undefined;
  }
  const parameters = await driver.parameters(signal);
  const reasons: string[] = [];
  const inline = await readInline(session, deployment, known, context).catch((error: unknown): ReadInline => {
    if (known === undefined || !(error instanceof NetworkError) || error.code !== "unreachable") {
      throw error;
    }
    // What was known stays, with the reason. Failing outright would keep a destroy, which reads first, from ending what
    // is paid for.
    reasons.push(error.message);
    return { inputs: kept(known, ["workloads", "connections"]) };
  });
  if (inline.undelivered === true && looks > 1 && (await session.replaced(keyOf(id), snapshot, signal))) {
    return read(session, request, context, looks - 1);
  }
  const inputs: ValueMap = {
    infrastructures: infrastructuresInputs(deployment, known, parameters),
    ...waitInputs(deployment, known, parameters),
    ...managersInputs(deployment, known, parameters),
    ...inline.inputs,
    ...kept(known, ["maxCostPerMonth", "skipAwait"]),
  };
  const outputs = deploymentOutputs(request.id, deployment, parameters);
  if (request.state?.["incarnation"] !== undefined) {
    // Read never follows to a newer incarnation.
    outputs["incarnation"] = request.state["incarnation"];
  }
  const sealed = await sealedAsRead(session, deployment, inputs, context);
  const nonce = known === undefined ? inline.nonce : importedNonce(request.state);
  const state: ValueMap = {
    ...inputs,
    ...outputs,
    ...(isInline(inputs) ? await inlineOutputs(session, deployment, sealed, request.state, signal) : {}),
    ...(nonce === undefined ? {} : { [NONCE]: nonce }),
    ...importMark(known === undefined, request.state),
  };
  if (known !== undefined && isInline(known) && isNewer(deployment, request.state)) {
    await warnOfTakeOver(session, { id: request.id, urn: context.urn, state: request.state }, deployment, context);
  }
  if (known !== undefined && !session.settings.skipAwait && known["skipAwait"] !== true) {
    // Said again at each read, so that a refresh takes the failure of an unfinished deployment off it only once it is
    // finished: until then `up` calls update, which goes on waiting.
    const goal = {
      infrastructures: isMap(inputs["infrastructures"]) ? Object.keys(inputs["infrastructures"]) : [],
      manifest: sealed,
      name: nameOf(context.urn),
    };
    reasons.push(...(await unfinished(session, { ...snapshot, deployment }, goal, signal)));
  }
  if (reasons.length > 0) {
    throw new PartialFailure(request.id, state, reasons, inputs);
  }
  return { id: request.id, inputs, state };
}

async function inlineOutputs(
  session: Session,
  actual: ActualDeployment,
  sealed: SealedManifest | undefined,
  state: ValueMap | undefined,
  signal: AbortSignal,
): Promise<ValueMap> {
  if (sealed !== undefined) {
    const places = await readPlaces(session, actual, sealed.content, state, signal);
    return { version: actual.version, ...placesOutputs(places) };
  }
  const { addresses = {}, rawAddresses } = state ?? {};
  return { version: actual.version, addresses, ...(rawAddresses === undefined ? {} : { rawAddresses }) };
}

/** Where a refresh shows what another stack has made of a deployment, it says so. */
async function warnOfTakeOver(
  session: Session,
  declarer: Declarer,
  actual: ActualDeployment,
  { signal, log }: CallContext,
): Promise<void> {
  try {
    if (await takenOver(session, declarer, actual, signal)) {
      log("warning", takenOverText(declarer, actual));
    }
  } catch (error) {
    // Who can't be told now is told by the update.
    if (!(error instanceof NetworkError)) {
      throw error;
    }
  }
}

/** The inline manifest as the inputs say it, where it is the one that the chain names. */
async function sealedAsRead(
  session: Session,
  actual: ActualDeployment,
  inputs: ValueMap,
  { urn, signal }: CallContext,
): Promise<SealedManifest | undefined> {
  if (!isInline(inputs) || containsUnknown(inputs["workloads"]) || containsUnknown(inputs["connections"])) {
    return undefined;
  }
  const salt = await session.driver.manifestSalt(actual.clientToken, actual.nonce, signal);
  const sealed = inlineManifest(inputs, salt, await session.owner(urn, signal));
  return sealed.envelope.version === actual.version ? sealed : undefined;
}

interface ReadInline {
  readonly inputs: ValueMap;
  /** Of the stamps that an import found. */
  readonly nonce?: string | undefined;
  /** No holder has the manifest that the chain named. */
  readonly undelivered?: true;
}

/** The inline entries as they are, or nothing where they are resources of their own. */
async function readInline(
  session: Session,
  actual: ActualDeployment,
  known: ValueMap | undefined,
  { urn, signal }: CallContext,
): Promise<ReadInline> {
  if (known !== undefined && !isInline(known)) {
    return { inputs: {} };
  }
  const owner = await session.owner(urn, signal);
  const salt = await session.driver.manifestSalt(actual.clientToken, actual.nonce, signal);
  if (known !== undefined && !containsUnknown(known["workloads"]) && !containsUnknown(known["connections"])) {
    if (inlineManifest(known, salt, owner).envelope.version === actual.version) {
      return { inputs: kept(known, ["workloads", "connections"]) };
    }
  }
  const found = await findManifest(session, actual, signal);
  if (found.kind === "unreachable") {
    throw new NetworkError(
      "unreachable",
      `No datacenter that runs deployment ${actual.sequence} says what runs there: ${found.why}. Try again when one answers.`,
    );
  }
  if (found.kind === "undelivered") {
    // Nobody has the manifest that the chain names: nothing of it runs, and the next `up` hands it over again.
    return {
      inputs:
        known === undefined
          ? {}
          : { workloads: {}, ...(known["connections"] === undefined ? {} : { connections: {} }) },
      undelivered: true,
    };
  }
  const manifest = openManifest(found.envelope);
  const { stamps } = found.envelope;
  return known === undefined && !declaredInline(stamps, owner)
    ? { inputs: {} }
    : { inputs: entriesInputs(manifest, known), nonce: sharedNonce(stamps) };
}

/** Inline entries have one stamp for all of them, also those that another URN has declared. */
function declaredInline(stamps: Stamps, owner: string): boolean {
  const all = Object.values(stamps);
  const nonce = sharedNonce(stamps);
  const together = nonce !== undefined && (nonce.endsWith(INLINE) || all.length > 1);
  return together || all.some((stamp) => stamp.owner === owner);
}

function entriesInputs(manifest: Manifest, known: ValueMap | undefined): ValueMap {
  const marks = isMap(known?.["workloads"]) ? known["workloads"] : {};
  const workloads: Record<string, Value> = {};
  for (const [name, entry] of Object.entries(manifest.workloads)) {
    const own = marks[name];
    workloads[name] = workloadInputs(entry, isMap(own) ? own : undefined);
  }
  const connections = Object.fromEntries(
    Object.entries(manifest.connections).map(([name, entry]) => [name, connectionInputs(entry)]),
  );
  const withConnections = Object.keys(connections).length > 0 || known?.["connections"] !== undefined;
  return { workloads, ...(withConnections ? { connections } : {}) };
}

function kept(known: ValueMap | undefined, names: readonly string[]): ValueMap {
  const found: Record<string, Value> = {};
  for (const name of names) {
    const value = known?.[name];
    if (value !== undefined) {
      found[name] = value;
    }
  }
  return found;
}
