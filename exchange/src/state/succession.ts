import { CloseReason, DeploymentState, type Lease, type OrderId, TimerKind } from "@dcx/protocol";
import type { TransitionContext } from "./context";
import { leaseChanged } from "./events";
import { closeLease, rewriteLease } from "./leases";
import { becomeOrdinaryOrder, closeOrder, openOrder } from "./orders";
import { deployments, type InfrastructureId, infrastructureOf, leases, orders, slots, withGeneration } from "./records";
import type { KeyValueReader, KeyValueStore } from "./store";
import { clearTimer, leaseTimer } from "./timers";

/**
 * What becomes of an infrastructure when one of its leases is gone. design: "Replacing a lease": the open order or the
 * unconfirmed successor becomes the ordinary one, and no second opens.
 */

/** Whether the deployment still has this infrastructure, and wants it to persist. */
export function persists(store: KeyValueReader, id: InfrastructureId): boolean {
  const deployment = deployments.need(store, id.deployment);
  if (deployment.state !== DeploymentState.ACTIVE) return false;
  const record = deployment.infrastructures.find((candidate) => candidate.terms?.name === id.name);
  return record?.terms?.persist ?? false;
}

/** Whether this lease is to replace another one, and has not served yet. */
export function isSuccessor(lease: Lease): boolean {
  return lease.replacesGeneration !== 0;
}

/**
 * After an ordinary lease has ended: an unconfirmed successor, or else the open order that was to replace it, takes its
 * place. A successor that has given notice meanwhile gets, with `persist`, a successor of its own.
 */
export function promote(store: KeyValueStore, context: TransitionContext, id: InfrastructureId): void {
  const slot = slots.need(store, id);
  if (slot.lease !== 0) return;
  if (slot.order !== 0) {
    becomeOrdinaryOrder(store, context, orders.need(store, withGeneration(id, slot.order)));
    return;
  }
  if (slot.successor === 0) return;
  const leaseId = withGeneration(id, slot.successor);
  const successor = leases.need(store, leaseId);
  clearTimer(store, successor.handoverDeadline + 1n, leaseTimer(TimerKind.HANDOVER, leaseId));
  const ordinary = { ...successor, replacesGeneration: 0, handoverDeadline: 0n };
  rewriteLease(store, successor, ordinary);
  context.events.emit(leaseChanged(ordinary));
  slots.put(store, id, { ...slot, lease: slot.successor, successor: 0 });
  if (successor.noticeEndHeight !== 0n && persists(store, id)) openOrder(store, context, id);
}

/** After a lease was lost (broken, or its notice is over): with `persist` an order opens unless one is there. */
export function reopenAfterLoss(store: KeyValueStore, context: TransitionContext, lost: OrderId): void {
  const id = infrastructureOf(lost);
  promote(store, context, id);
  const slot = slots.need(store, id);
  const awaited = slot.order !== 0 || slot.successor !== 0;
  // With a lease in place the lost one was a successor, and the order is to replace that lease again.
  const served = slot.lease > lost.generation;
  if (!awaited && !served && persists(store, id)) openOrder(store, context, id);
}

/** The successor serves: the old lease closes and the successor becomes the ordinary one. */
export function completeHandover(
  store: KeyValueStore,
  context: TransitionContext,
  successor: Lease,
  id: OrderId,
): void {
  closeLease(store, context, { ...id, generation: successor.replacesGeneration }, CloseReason.REPLACED, "");
  promote(store, context, infrastructureOf(id));
}

/** Closes what waits to take over from a lease, or to become one: the open order or the unconfirmed successor. */
export function closePending(
  store: KeyValueStore,
  context: TransitionContext,
  id: InfrastructureId,
  reason: CloseReason,
  by: string,
): void {
  const slot = slots.get(store, id);
  if (slot === undefined) return;
  if (slot.order !== 0) closeOrder(store, context, orders.need(store, withGeneration(id, slot.order)), reason);
  if (slot.successor !== 0) closeLease(store, context, withGeneration(id, slot.successor), reason, by);
}

/** Closes everything that an infrastructure has. PERF: O(fulfillments of its open order). */
export function closeEverything(
  store: KeyValueStore,
  context: TransitionContext,
  id: InfrastructureId,
  reason: CloseReason,
  by: string,
): void {
  closePending(store, context, id, reason, by);
  const slot = slots.get(store, id);
  if (slot !== undefined && slot.lease !== 0) closeLease(store, context, withGeneration(id, slot.lease), reason, by);
}
