import type { NetworkParameters } from "../../network/driver";
import type { ActualDeployment, ActualInfrastructure } from "../../network/snapshot";
import { meetsFrozenLease } from "../../plan/frozen-lease";
import { desiredManifest } from "../../plan/manifest";
import { undelivered } from "../../plan/plan-deployment";
import { appendKey } from "../../wire/path";
import { Unknown, type Value, type ValueMap } from "../../wire/value";
import { type Differences, differences, diffResult } from "../differences";
import { deploymentId, keyOf, whereabouts } from "../identity";
import { withLocal } from "../imported";
import { desiredManagers, desiredTerms, desiredWait } from "../inputs/desired";
import { containsUnknown, isMap } from "../inputs/shape";
import type { CallContext, DiffRequest, DiffResult } from "../resource";
import type { Session } from "../session";
import { anothersDeployment, mayChange } from "./another-tenant";
import { inlineManifest, isInline } from "./inline-manifest";
import { managerInputs, plainTerms } from "./terms-inputs";

const STABLE = ["deploymentId"];

/** Compares what is declared with what is on the chain now, not with what the state remembers. */
export async function diffDeployment(
  session: Session,
  request: DiffRequest,
  context: CallContext,
): Promise<DiffResult> {
  const { signal } = context;
  const { inputs } = request;
  const id = deploymentId(request.id);
  const gone: Differences = { deploymentId: { kind: "update-replace", inputDiff: false } };
  if ((await whereabouts(session, id, signal)) === "gone") {
    return diffResult(gone, [], [], "create-before-delete");
  }
  const parameters = await session.parameters(signal);
  const { deployment } = await session.asRead(keyOf(id), signal);
  if (deployment === undefined || !deployment.active) {
    return diffResult(gone, [], [], "create-before-delete");
  }
  if (!(await mayChange(session, deployment, signal))) {
    context.log("warning", anothersDeployment(request.id, deployment, (await session.identify(signal))?.tenant ?? ""));
    return diffResult(gone, [], [], "create-before-delete");
  }
  session.declarations.deployment(request.id, context.urn, isInline(inputs));
  session.compared.set(context.urn, deployment);
  const detailed: Differences = {
    ...termDifferences(inputs, deployment, parameters),
    ...plainDifferences(inputs, withLocal(request, "maxCostPerMonth"), deployment, parameters),
    ...(await manifestDifferences(session, request, deployment, context)),
  };
  return diffResult(detailed, request.ignoreChanges, STABLE, "create-before-delete");
}

/** How what is declared of infrastructures differs from what the chain has, by path. */
export function termDifferences(
  inputs: ValueMap,
  actual: ActualDeployment,
  parameters: NetworkParameters,
): Differences {
  const { infrastructures } = inputs;
  if (!isMap(infrastructures)) {
    return { infrastructures: { kind: "update", inputDiff: true } };
  }
  const found: Differences = {};
  for (const name of new Set([...Object.keys(infrastructures), ...Object.keys(actual.infrastructures)])) {
    const declared = infrastructures[name];
    const live = actual.infrastructures[name];
    if (declared === undefined && live?.declaredBy !== actual.tenant) {
      continue;
    }
    const path = appendKey("infrastructures", name);
    const before = live === undefined ? undefined : plainTerms(live.terms);
    Object.assign(found, differences(before, comparable(declared, parameters), path));
    if (declared !== undefined && live !== undefined && found[path] === undefined && !standing(live)) {
      // Nothing that meets the terms is leased or ordered: an update opens an order again.
      found[path] = { kind: "update", inputDiff: false };
    }
  }
  return found;
}

function standing({ terms, lease, order, successor }: ActualInfrastructure): boolean {
  return (
    order !== undefined ||
    successor !== undefined ||
    (lease !== undefined && lease.noticeEnd === undefined && meetsFrozenLease(terms, lease))
  );
}

/** Declared terms in the form that the chain's are compared in; with an unknown inside, only as far as that goes. */
function comparable(declared: Value | undefined, parameters: NetworkParameters): Value | undefined {
  if (declared === undefined) {
    return undefined;
  }
  return containsUnknown(declared) ? Unknown.instance : plainTerms(desiredTerms(declared, parameters));
}

/** The same of what belongs to the deployment as a whole. */
export function plainDifferences(
  inputs: ValueMap,
  oldInputs: ValueMap,
  actual: ActualDeployment,
  parameters: NetworkParameters,
): Differences {
  const found: Differences = {};
  if (containsUnknown(inputs["waitDuration"]) || desiredWait(inputs, parameters) !== actual.waitDuration) {
    found["waitDuration"] = { kind: "update", inputDiff: true };
  }
  if (containsUnknown(inputs["managers"])) {
    found["managers"] = { kind: "update", inputDiff: true };
  } else {
    const managers = desiredManagers(inputs, parameters);
    if (managers !== undefined) {
      const text = (list: ActualDeployment["managers"]): Value => list.map((one) => managerInputs(one, parameters));
      Object.assign(found, differences(text(actual.managers), text(managers), "managers"));
    }
  }
  return { ...found, ...differences(oldInputs["maxCostPerMonth"], inputs["maxCostPerMonth"], "maxCostPerMonth") };
}

async function manifestDifferences(
  session: Session,
  { inputs, oldInputs }: DiffRequest,
  actual: ActualDeployment,
  { urn, signal }: CallContext,
): Promise<Differences> {
  const declared = {
    ...differences(oldInputs["workloads"], inputs["workloads"], "workloads"),
    ...differences(oldInputs["connections"], inputs["connections"], "connections"),
  };
  if (!isInline(inputs) || containsUnknown(inputs["workloads"]) || containsUnknown(inputs["connections"])) {
    return declared;
  }
  const salt = await session.driver.manifestSalt(actual.clientToken, actual.nonce, signal);
  const sealed = inlineManifest(inputs, salt, await session.owner(urn, signal));
  if (sealed.envelope.version !== actual.version) {
    return Object.keys(declared).length > 0 ? declared : { workloads: { kind: "update", inputDiff: false } };
  }
  if (Object.keys(declared).length > 0) {
    // Same content as is there: the program has caught up with it, or moved it between inline and separate.
    return isInline(oldInputs) ? {} : declared;
  }
  const { placedOn } = desiredManifest(sealed.content, {});
  const missing = undelivered(placedOn, actual.version, actual);
  const waiting = await Promise.all(
    missing.map(async (name) => {
      const serving = actual.infrastructures[name]?.successor ?? actual.infrastructures[name]?.lease;
      return (
        serving !== undefined && !(await session.runs(keyOfActual(actual), serving.datacenter, actual.version, signal))
      );
    }),
  );
  return waiting.includes(true) ? { version: { kind: "update", inputDiff: false } } : {};
}

function keyOfActual({ tenant, sequence }: ActualDeployment): { tenant: string; sequence: bigint } {
  return { tenant, sequence };
}
