import {
  CloseReason,
  type Deployment,
  FulfillmentState,
  type Infrastructure,
  type Order,
  type OrderId,
  OrderState,
  TimerKind,
} from "@dcx/protocol";
import type { TransitionContext } from "./context";
import { orderChanged } from "./events";
import { endAllBids } from "./fulfillments";
import { orderKey, tables, uint64Key } from "./keys";
import {
  deployments,
  getParameters,
  type InfrastructureId,
  infrastructureOf,
  leases,
  orderIdOf,
  orders,
  present,
  slots,
  withGeneration,
} from "./records";
import type { KeyValueReader, KeyValueStore } from "./store";
import { clearTimer, orderTimer, setTimer } from "./timers";
import { adjustTotals } from "./totals";

/** An index entry's value where the key says it all. */
const mark = Uint8Array.of(1);

function matchableKey(order: Order): string {
  return tables.matchable + uint64Key(order.dueHeight) + orderKey(orderIdOf(order));
}

function openKey(id: OrderId): string {
  return tables.openOrder + orderKey(id);
}

export function termsOf(order: Order): Infrastructure {
  return present(order.terms, "terms of an order");
}

/**
 * Opens the next generation of an infrastructure with the deployment's present terms. Where a lease is active the
 * order is to replace it; where that lease is under notice, its datacenter can't be the successor.
 * Expects no open order and no unconfirmed successor. PERF: O(size of the deployment's record).
 *
 * @param denied a datacenter that the order keeps out, besides those of the terms
 */
export function openOrder(
  store: KeyValueStore,
  context: TransitionContext,
  id: InfrastructureId,
  denied: readonly string[] = [],
): void {
  const deployment = deployments.need(store, id.deployment);
  deployments.put(store, id.deployment, openOrderOf(store, context, deployment, id.name, denied));
}

/**
 * As `openOrder`, for those who open several: the deployment's record, which holds the generations, is theirs to write.
 * @returns that record
 */
export function openOrderOf(
  store: KeyValueStore,
  context: TransitionContext,
  deployment: Deployment,
  name: string,
  denied: readonly string[] = [],
): Deployment {
  const id: InfrastructureId = { deployment: present(deployment.id, "id of a deployment"), name };
  const record = present(
    deployment.infrastructures.find((candidate) => candidate.terms?.name === name),
    `infrastructure ${name}`,
  );
  const terms = present(record.terms, "terms of an infrastructure");
  const slot = slots.get(store, id) ?? {
    deployment: id.deployment,
    infrastructure: id.name,
    generation: 0,
    order: 0,
    lease: 0,
    successor: 0,
  };
  if (slot.order !== 0 || slot.successor !== 0) throw new Error(`infrastructure ${id.name} already awaits a lease`);
  const generation = slot.generation + 1;
  slots.put(store, id, { ...slot, generation, order: generation });

  const leaving = slot.lease === 0 ? undefined : leases.need(store, withGeneration(id, slot.lease));
  const keptOut = leaving !== undefined && leaving.noticeEndHeight !== 0n ? [...denied, leaving.datacenter] : denied;
  const order: Order = {
    id: withGeneration(id, generation),
    terms: {
      ...terms,
      deniedDatacenters: [
        ...terms.deniedDatacenters,
        ...keptOut.filter((one) => !terms.deniedDatacenters.includes(one)),
      ],
    },
    waitDuration: deployment.waitDuration,
    state: OrderState.OPEN,
    openedHeight: context.height,
    dueHeight: context.height + deployment.waitDuration,
    closedHeight: 0n,
    closeReason: CloseReason.UNSPECIFIED,
    replacesGeneration: slot.lease,
    fulfillmentCount: 0,
    lastFulfillmentIndex: 0,
  };
  orders.put(store, orderIdOf(order), order);
  store.set(openKey(orderIdOf(order)), mark);
  setTimer(store, expiryOf(store, order), orderTimer(TimerKind.ORDER_EXPIRY, orderIdOf(order)));
  adjustTotals(store, { openOrders: 1n });
  context.events.emit(orderChanged(order));
  return {
    ...deployment,
    infrastructures: deployment.infrastructures.map((other) => (other === record ? { ...record, generation } : other)),
  };
}

function expiryOf(store: KeyValueReader, order: Order): bigint {
  return order.openedHeight + getParameters(store).orderExpiry;
}

/** Takes an order out of everything that only open ones are in. */
function leaveOpen(store: KeyValueStore, order: Order): void {
  const id = orderIdOf(order);
  store.delete(openKey(id));
  store.delete(matchableKey(order));
  clearTimer(store, expiryOf(store, order), orderTimer(TimerKind.ORDER_EXPIRY, id));
  const infrastructure = infrastructureOf(id);
  slots.put(store, infrastructure, { ...slots.need(store, infrastructure), order: 0 });
  adjustTotals(store, { openOrders: -1n });
}

/** Open → closed: every fulfillment expires and its collateral returns. PERF: O(fulfillments). */
export function closeOrder(store: KeyValueStore, context: TransitionContext, order: Order, reason: CloseReason): void {
  endAllBids(store, context, order, FulfillmentState.EXPIRED);
  leaveOpen(store, order);
  const closed: Order = {
    ...order,
    state: OrderState.CLOSED,
    closeReason: reason,
    closedHeight: context.height,
    fulfillmentCount: 0,
  };
  orders.put(store, orderIdOf(order), closed);
  schedulePruning(store, context, orderIdOf(order));
  context.events.emit(orderChanged(closed));
}

/** Open → matched: the other fulfillments have lost, and their collateral returns. PERF: O(fulfillments). */
export function matchOrder(store: KeyValueStore, context: TransitionContext, order: Order): void {
  endAllBids(store, context, order, FulfillmentState.LOST);
  leaveOpen(store, order);
  const matched: Order = { ...order, state: OrderState.MATCHED, closedHeight: context.height, fulfillmentCount: 0 };
  orders.put(store, orderIdOf(order), matched);
  context.events.emit(orderChanged(matched));
}

/** The order with its fulfillments, and what came of it, goes after closed-retention blocks. */
export function schedulePruning(store: KeyValueStore, context: TransitionContext, id: OrderId): void {
  setTimer(store, context.height + getParameters(store).closedRetention, orderTimer(TimerKind.PRUNE_ORDER, id));
}

/** Writes an open order after a change of its count of fulfillments, its wait or its terms; keeps it matchable or not. */
export function rewriteOrder(store: KeyValueStore, before: Order, after: Order): void {
  const wasMatchable = before.fulfillmentCount > 0;
  const isMatchable = after.fulfillmentCount > 0;
  const moved = before.dueHeight !== after.dueHeight;
  if (wasMatchable && (!isMatchable || moved)) store.delete(matchableKey(before));
  if (isMatchable && (!wasMatchable || moved)) store.set(matchableKey(after), mark);
  orders.put(store, orderIdOf(after), after);
}

/** As `rewriteOrder`, for a change that those who watch the order want to know of. */
export function changeOrder(store: KeyValueStore, context: TransitionContext, before: Order, after: Order): void {
  rewriteOrder(store, before, after);
  context.events.emit(orderChanged(after));
}

/** The lease that the order was to replace is gone: it becomes an ordinary one. */
export function becomeOrdinaryOrder(store: KeyValueStore, context: TransitionContext, order: Order): void {
  changeOrder(store, context, order, { ...order, replacesGeneration: 0 });
}
