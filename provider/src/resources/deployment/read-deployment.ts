import type { Manifest, Stamps } from "@dcx/protocol";
import { NetworkError } from "../../network/driver";
import type { ActualDeployment } from "../../network/snapshot";
import { openManifest } from "../../plan/manifest";
import type { Value, ValueMap } from "../../wire/value";
import { findManifest } from "../current-manifest";
import { deploymentId, keyOf, nameOf, whereabouts } from "../identity";
import { connectionInputs, workloadInputs } from "../inputs/manifest-entries";
import { containsUnknown, isMap } from "../inputs/shape";
import { type CallContext, PartialFailure, type ReadRequest, type ReadResult } from "../resource";
import type { Session } from "../session";
import { inlineManifest, isInline, type SealedManifest } from "./inline-manifest";
import { deploymentOutputs } from "./outputs";
import { infrastructuresInputs, managersInputs, waitInputs } from "./terms-inputs";
import { unfinished } from "./unfinished";

/** What is there now, in the words of the inputs where they still mean it. Gone only where the chain says so. */
export async function readDeployment(
  session: Session,
  request: ReadRequest,
  context: CallContext,
): Promise<ReadResult> {
  const { signal } = context;
  const id = deploymentId(request.id);
  if ((await whereabouts(session, id, signal)) === "gone") {
    return undefined;
  }
  const { driver } = session;
  const snapshot = await session.snapshot(keyOf(id), signal);
  const { deployment } = snapshot;
  if (deployment === undefined || !deployment.active) {
    return undefined;
  }
  const parameters = await driver.parameters(signal);
  const known = request.inputs;
  const reasons: string[] = [];
  const inline = await readInline(session, deployment, known, context).catch((error: unknown) => {
    if (known === undefined || !(error instanceof NetworkError) || error.code !== "unreachable") {
      throw error;
    }
    // What was known stays, with the reason. Failing outright would keep a destroy, which reads first, from ending what
    // is paid for.
    reasons.push(error.message);
    return kept(known, ["workloads", "connections"]);
  });
  const inputs: ValueMap = {
    infrastructures: infrastructuresInputs(deployment, known, parameters),
    ...waitInputs(deployment, known, parameters),
    ...managersInputs(deployment, known, parameters),
    ...inline,
    ...kept(known, ["maxCostPerMonth", "skipAwait"]),
  };
  const outputs = deploymentOutputs(request.id, deployment, parameters);
  if (request.state?.["incarnation"] !== undefined) {
    // Read never follows to a newer incarnation.
    outputs["incarnation"] = request.state["incarnation"];
  }
  const state: ValueMap = {
    ...inputs,
    ...outputs,
    ...(isInline(inputs) ? { version: deployment.version, addresses: request.state?.["addresses"] ?? {} } : {}),
  };
  if (known !== undefined && !session.settings.skipAwait && known["skipAwait"] !== true) {
    // Said again at each read, so that a refresh takes the failure of an unfinished deployment off it only once it is
    // finished: until then `up` calls update, which goes on waiting.
    const goal = {
      infrastructures: isMap(inputs["infrastructures"]) ? Object.keys(inputs["infrastructures"]) : [],
      manifest: await sealedAsRead(session, deployment, inputs, context),
      name: nameOf(context.urn),
    };
    reasons.push(...(await unfinished(session, { ...snapshot, deployment }, goal, signal)));
  }
  if (reasons.length > 0) {
    throw new PartialFailure(request.id, state, reasons, inputs);
  }
  return { id: request.id, inputs, state };
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

/** The inline entries as they are, or nothing where they are resources of their own. */
async function readInline(
  session: Session,
  actual: ActualDeployment,
  known: ValueMap | undefined,
  { urn, signal }: CallContext,
): Promise<ValueMap> {
  if (known !== undefined && !isInline(known)) {
    return {};
  }
  const owner = await session.owner(urn, signal);
  const salt = await session.driver.manifestSalt(actual.clientToken, actual.nonce, signal);
  if (known !== undefined && !containsUnknown(known["workloads"]) && !containsUnknown(known["connections"])) {
    if (inlineManifest(known, salt, owner).envelope.version === actual.version) {
      return kept(known, ["workloads", "connections"]);
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
    return known === undefined
      ? {}
      : { workloads: {}, ...(known["connections"] === undefined ? {} : { connections: {} }) };
  }
  const manifest = openManifest(found.envelope);
  return known === undefined && !declaredInline(found.envelope.stamps, owner) ? {} : entriesInputs(manifest, known);
}

/** Inline entries have one stamp for all of them, also those that another URN has declared. */
function declaredInline(stamps: Stamps, owner: string): boolean {
  const all = Object.values(stamps);
  const [first] = all;
  return (
    all.some((stamp) => stamp.owner === owner) || (all.length > 1 && all.every(({ nonce }) => nonce === first?.nonce))
  );
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
