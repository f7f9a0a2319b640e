import {
  CloseReason,
  type Deployment,
  ExchangeErrorCode,
  type Infrastructure,
  type InfrastructureRecord,
  type MsgUpdateDeployment,
  type MsgUpdateDeploymentResponse,
  type Parameters,
} from "@dcx/protocol";
import { changesInPlace, leaseMeets, sameTerms } from "../admission";
import type { TransactionContext } from "../context";
import { findActiveDeployment, idOf } from "../deployments";
import { ExchangeError, invalid } from "../errors";
import { deploymentChanged } from "../events";
import { describeDeployment } from "../keys";
import { checkLimits, checkRentMeanwhile, limitRefusal, type Role, roleOf } from "../managers";
import { changeOrder, openOrder, termsOf } from "../orders";
import { deployments, getParameters, type InfrastructureId, leases, orders, slots, withGeneration } from "../records";
import type { KeyValueStore } from "../store";
import { closeEverything, closePending } from "../succession";
import {
  checkAddress,
  checkBytes,
  checkDeploymentId,
  checkedInfrastructures,
  checkInfrastructureCount,
  checkManagers,
  checkWait,
  compareText,
} from "../validation";

/**
 * A tenant, or a manager within limits, changes a deployment: a patch that names the revision it replaces.
 *
 * In place change `persist`, the wait, and whatever the active lease still meets as frozen. Of an open order the wait,
 * `persist` and higher prices change in place, bids stay. Anything else closes the pending order or the unconfirmed
 * successor, and opens an order; where a lease is active the order is to replace it. An infrastructure that the update
 * names with neither lease nor order gets one. A removed infrastructure closes at once; others are untouched.
 *
 * specification: "UpdateDeployment"; design: "Transactions", "Replacing a lease".
 * @throws ExchangeError RevisionMismatch, Unauthorized, ManagerLimit, InfrastructureNotFound, DeploymentNotActive, …
 *
 * PERF: O(infrastructures named × size of the deployment's record + fulfillments of orders that close); a change of
 * the wait touches every open order of the deployment.
 */
export function updateDeployment(
  state: KeyValueStore,
  context: TransactionContext,
  message: MsgUpdateDeployment,
): MsgUpdateDeploymentResponse {
  checkAddress(state, message.sender, "sender");
  const id = checkDeploymentId(message.id);
  const deployment = findActiveDeployment(state, id);
  const role = roleOf(deployment, message.sender, context.height);
  if (message.revision !== deployment.revision)
    throw new ExchangeError(
      ExchangeErrorCode.RevisionMismatch,
      `deployment ${describeDeployment(id)} is at revision ${deployment.revision}, the update replaces ${message.revision}` +
        (deployment.lastChange === undefined
          ? ""
          : `: changed by ${deployment.lastChange.by} at block ${deployment.lastChange.height}`),
    );

  const patch = checkedPatch(state, message, role);
  const revised = applyPatch(deployment, message, patch, role, getParameters(state));
  deployments.put(state, id, {
    ...revised,
    revision: deployment.revision + 1n,
    lastChange: { by: message.sender, transaction: context.hash, height: context.height },
  });

  for (const name of message.removedInfrastructures)
    closeEverything(state, context, { deployment: id, name }, CloseReason.REMOVED, message.sender);
  if (revised.waitDuration !== deployment.waitDuration) changeWait(state, context, revised);
  for (const terms of patch) {
    const before = deployment.infrastructures.find((record) => record.terms?.name === terms.name)?.terms;
    changeTerms(state, context, { deployment: id, name: terms.name }, before, terms, message.sender);
  }

  const after = deployments.need(state, id);
  if (role.kind === "manager" && patch.length > 0) checkRentMeanwhile(state, role.limits, after);
  context.events.emit(deploymentChanged(after, message.sender));
  return { revision: after.revision };
}

/** The update's infrastructures, well-formed; and its other parts checked. */
function checkedPatch(state: KeyValueStore, message: MsgUpdateDeployment, role: Role): Infrastructure[] {
  const parameters = getParameters(state);
  if (message.waitDuration !== undefined) checkWait(parameters, message.waitDuration.blocks);
  if (message.manifest !== undefined) {
    checkBytes(message.manifest.version, 32, "manifest.version");
    if (role.kind === "manager" && role.limits !== undefined && !role.limits.mayChangeVersion)
      throw limitRefusal("the manifest's version is the tenant's to change");
  }
  if (message.managers !== undefined) {
    if (role.kind === "manager")
      throw new ExchangeError(ExchangeErrorCode.Unauthorized, "only the tenant may set a deployment's managers");
    checkManagers(state, parameters, message.managers.managers);
  }
  return checkedInfrastructures(state, parameters, message.infrastructures);
}

/** The deployment's record as the update leaves it, but for its revision. */
function applyPatch(
  deployment: Deployment,
  message: MsgUpdateDeployment,
  patch: readonly Infrastructure[],
  role: Role,
  parameters: Parameters,
): Deployment {
  const removed = message.removedInfrastructures;
  for (const name of removed) {
    const record = deployment.infrastructures.find((candidate) => candidate.terms?.name === name);
    if (record === undefined || removed.indexOf(name) !== removed.lastIndexOf(name))
      throw new ExchangeError(
        ExchangeErrorCode.InfrastructureNotFound,
        `deployment ${describeDeployment(idOf(deployment))} has no infrastructure "${name}" to remove`,
      );
    if (patch.some((terms) => terms.name === name)) throw invalid("removed_infrastructures", `"${name}" is also set`);
    if (role.kind === "manager" && record.declaredBy !== message.sender)
      throw limitRefusal(`infrastructure "${name}" was declared by ${record.declaredBy}, who alone may remove it`);
  }
  const named = new Map(patch.map((terms) => [terms.name, terms]));
  const kept = deployment.infrastructures.filter(
    ({ terms }) => terms !== undefined && !removed.includes(terms.name) && !named.has(terms.name),
  );
  const declared = patch.map((terms): InfrastructureRecord => {
    const before = deployment.infrastructures.find((record) => record.terms?.name === terms.name);
    const unchanged = before?.terms !== undefined && sameTerms(before.terms, terms);
    // What a manager changes stays whose it was: else a second update could remove it.
    const declaredBy =
      before !== undefined && (unchanged || role.kind === "manager") ? before.declaredBy : message.sender;
    return { terms, declaredBy, generation: before?.generation ?? 0 };
  });
  const infrastructures = [...kept, ...declared].toSorted((left, right) =>
    compareText(left.terms?.name ?? "", right.terms?.name ?? ""),
  );
  checkInfrastructureCount(parameters, infrastructures.length);
  if (role.kind === "manager")
    checkLimits(
      role.limits,
      infrastructures.flatMap((record) => record.terms ?? []),
      patch,
      deployment.infrastructures.flatMap(({ terms }) => (terms !== undefined && named.has(terms.name) ? [terms] : [])),
    );
  return {
    ...deployment,
    infrastructures,
    waitDuration: message.waitDuration?.blocks ?? deployment.waitDuration,
    version: message.manifest?.version ?? deployment.version,
    manifestEntries: message.manifest?.entries ?? deployment.manifestEntries,
    managers: message.managers?.managers ?? deployment.managers,
  };
}

/** Open orders take the new wait in place, counted from their opening. */
function changeWait(state: KeyValueStore, context: TransactionContext, deployment: Deployment): void {
  for (const { terms } of deployment.infrastructures) {
    if (terms === undefined) continue;
    const id = { deployment: idOf(deployment), name: terms.name };
    const slot = slots.get(state, id);
    if (slot === undefined || slot.order === 0) continue;
    const order = orders.need(state, withGeneration(id, slot.order));
    changeOrder(state, context, order, {
      ...order,
      waitDuration: deployment.waitDuration,
      dueHeight: order.openedHeight + deployment.waitDuration,
    });
  }
}

/** Brings what an infrastructure has into line with its new terms, which are recorded already. */
function changeTerms(
  state: KeyValueStore,
  context: TransactionContext,
  id: InfrastructureId,
  before: Infrastructure | undefined,
  terms: Infrastructure,
  by: string,
): void {
  const slot = slots.get(state, id);
  if (slot === undefined || (slot.order === 0 && slot.successor === 0 && slot.lease === 0)) {
    openOrder(state, context, id);
    return;
  }
  const lease = slot.lease === 0 ? undefined : leases.need(state, withGeneration(id, slot.lease));
  const pending = slot.order !== 0 || slot.successor !== 0;
  // Naming an infrastructure with the terms it has disturbs neither bids nor a successor on its way.
  if (pending && before !== undefined && sameTerms(before, terms)) return;
  // A lease under notice goes whatever the terms: it needs its successor.
  const kept = lease !== undefined && lease.noticeEndHeight === 0n && leaseMeets(lease, terms);
  if (slot.order !== 0 && !kept && before !== undefined && changesInPlace(before, terms)) {
    const order = orders.need(state, withGeneration(id, slot.order));
    const { deniedDatacenters } = termsOf(order);
    changeOrder(state, context, order, { ...order, terms: { ...terms, deniedDatacenters } });
    return;
  }
  closePending(state, context, id, CloseReason.REPLACED, by);
  if (!kept) openOrder(state, context, id);
}
