import type { Manifest } from "@dcx/protocol";
import { NetworkError, type NetworkParameters } from "../network/driver";
import type { ActualDeployment, Snapshot } from "../network/snapshot";
import { openManifest } from "../plan/manifest";
import type { PlanReport } from "../plan/report";
import { findManifest } from "../resources/current-manifest";
import { checkDeployment } from "../resources/deployment/check-deployment";
import { plainDifferences, termDifferences } from "../resources/deployment/diff-deployment";
import { foreseeCreation, foreseeUpdate } from "../resources/deployment/foresee";
import { inlineManifest, isInline, type SealedManifest } from "../resources/deployment/inline-manifest";
import { type Differences, differences } from "../resources/differences";
import { deploymentId, keyOf, whereabouts } from "../resources/identity";
import { connectionInputs, workloadInputs } from "../resources/inputs/manifest-entries";
import { isMap } from "../resources/inputs/shape";
import type { CallContext } from "../resources/resource";
import type { Session } from "../resources/session";
import type { Value, ValueMap } from "../wire/value";

/** What a file asks for can't be. Its message names every problem; no secret. */
class PlanRefused extends Error {
  override readonly name = "PlanRefused";
  constructor(readonly problems: readonly string[]) {
    super(problems.length === 1 ? (problems[0] ?? "") : problems.map((one) => `  ${one}`).join("\n"));
  }
}

/**
 * The plan from what is there to what these inputs declare; changes nothing.
 * @param inputs of a Deployment, as written
 * @param id of the deployment to compare with; absent: a new one
 * @throws {PlanRefused} {NetworkError}
 */
export async function planOn(
  session: Session,
  inputs: ValueMap,
  id: string | undefined,
  signal: AbortSignal,
): Promise<PlanReport> {
  const context: CallContext = { urn: "", signal, status: () => {}, log: () => {} };
  const { inputs: normal, failures } = await checkDeployment(
    session,
    { inputs, oldInputs: undefined, name: "" },
    context,
  );
  if (failures.length > 0) {
    throw new PlanRefused(failures.map(({ reason }) => reason));
  }
  if (id === undefined) {
    const identity = await session.identify(signal);
    const known = identity !== undefined && identity.tenant !== "";
    const balance = known ? await session.driver.balance(identity.tenant, signal) : undefined;
    return (await foreseeCreation(session, normal, balance, signal)).report;
  }
  const parsed = deploymentId(id);
  if ((await whereabouts(session, parsed, signal)) === "gone") {
    throw new NetworkError("refused", `Deployment ${id} is gone: its network was reset. Plan without it.`);
  }
  const snapshot = await session.existing(keyOf(parsed), signal);
  return planChange(session, normal, snapshot, signal);
}

async function planChange(
  session: Session,
  inputs: ValueMap,
  snapshot: Snapshot & { readonly deployment: ActualDeployment },
  signal: AbortSignal,
): Promise<PlanReport> {
  const { deployment } = snapshot;
  const [identity, parameters] = await Promise.all([session.identify(signal), session.parameters(signal)]);
  const mine = identity?.tenant === deployment.tenant;
  const notes: string[] = [];
  let sealed: SealedManifest | undefined;
  let before: Manifest | undefined;
  if (isInline(inputs) && !mine) {
    notes.push(
      `what runs is not compared: that needs the key of its tenant ${deployment.tenant}` +
        `${identity?.tenant === "" ? ", and no signer is configured" : `, and ${identity?.tenant} is configured`}`,
    );
  } else if (isInline(inputs)) {
    const salt = await session.driver.manifestSalt(deployment.clientToken, deployment.nonce, signal);
    sealed = inlineManifest(inputs, salt, "");
    const found = await findManifest(session, deployment, signal);
    before = found.kind === "found" ? openManifest(found.envelope) : undefined;
    if (found.kind !== "found" && sealed.envelope.version !== deployment.version) {
      const why = found.kind === "unreachable" ? found.why : "no datacenter has it";
      notes.push(`what runs now could not be read, so all that will run is listed as new: ${why}`);
    }
  }
  const changes = fieldChanges(inputs, deployment, parameters, sealed === undefined ? undefined : before);
  const { report } = await foreseeUpdate(session, inputs, snapshot, sealed, signal, { before, changes, notes });
  return report;
}

function fieldChanges(
  inputs: ValueMap,
  actual: ActualDeployment,
  parameters: NetworkParameters,
  before: Manifest | undefined,
): PlanReport["changes"] {
  // What is no more than the program's own is compared with nothing here.
  const local = inputs["maxCostPerMonth"];
  const found: Differences = {
    ...termDifferences(inputs, actual, parameters),
    ...plainDifferences(inputs, local === undefined ? {} : { maxCostPerMonth: local }, actual, parameters),
    ...(before === undefined ? {} : entryDifferences(inputs, before)),
  };
  return Object.entries(found)
    .map(([path, { kind }]) => ({ path, kind }))
    .sort((a, b) => (a.path < b.path ? -1 : 1));
}

function entryDifferences(inputs: ValueMap, before: Manifest): Differences {
  const live = (kind: "workloads" | "connections"): Value =>
    kind === "workloads"
      ? Object.fromEntries(
          Object.entries(before.workloads).map(([name, one]) => [name, workloadInputs(one, undefined)]),
        )
      : Object.fromEntries(Object.entries(before.connections).map(([name, one]) => [name, connectionInputs(one)]));
  const compared = (kind: "workloads" | "connections"): Differences => {
    const declared = inputs[kind];
    return differences(live(kind), declared !== undefined && isMap(declared) ? declared : {}, kind);
  };
  return { ...compared("workloads"), ...compared("connections") };
}

/** Whether carrying it out would change anything. */
export function changesAnything({ transactions, changes }: PlanReport): boolean {
  return transactions.length > 0 || changes.length > 0;
}
