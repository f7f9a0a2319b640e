import { CloseReason, FulfillmentState, type Lease, LeaseState, type OrderId, TimerKind } from "@dcx/protocol";
import { credit } from "./accounts";
import type { TransitionContext } from "./context";
import { leaseChanged } from "./events";
import { releaseMatched } from "./fulfillments";
import { accumulatorAt, changeMatchedCollateral } from "./interest";
import { orderKey, tables, textKey, uint64Key } from "./keys";
import { schedulePruning } from "./orders";
import { isOverdue, maxSupply, scale } from "./quantities";
import { exclusions, fulfillments, getParameters, infrastructureOf, leases, orderIdOf, slots } from "./records";
import type { KeyValueReader, KeyValueStore } from "./store";
import { clearTimer, leaseTimer, setTimer } from "./timers";
import { adjustTotals, getTotals } from "./totals";

const mark = Uint8Array.of(1);

/** First height at which the lease is stale unless it is confirmed before. */
function staleHeight(lease: Lease): bigint {
  return lease.lastConfirmedHeight + lease.reconfirmationPeriod + 1n;
}

function staleKey(lease: Lease): string {
  return tables.stale + uint64Key(staleHeight(lease)) + orderKey(orderIdOf(lease));
}

function activeKey(lease: Lease): string {
  return tables.activeLease + orderKey(orderIdOf(lease));
}

function datacenterKey(lease: Lease): string {
  return tables.datacenterLease + textKey(lease.datacenter) + orderKey(orderIdOf(lease));
}

export function isStale(lease: Lease, height: bigint): boolean {
  return isOverdue(lease.lastConfirmedHeight, lease.reconfirmationPeriod, height);
}

/** Enters a new lease, whose deposit and collateral have been moved. */
export function startLease(store: KeyValueStore, context: TransitionContext, lease: Lease): void {
  const id = orderIdOf(lease);
  leases.put(store, id, lease);
  store.set(activeKey(lease), mark);
  store.set(datacenterKey(lease), mark);
  store.set(staleKey(lease), mark);
  if (lease.replacesGeneration !== 0) setTimer(store, lease.handoverDeadline + 1n, leaseTimer(TimerKind.HANDOVER, id));
  changeMatchedCollateral(store, context.height, lease.collateral);
  adjustTotals(store, { activeLeases: 1n });
  context.events.emit(leaseChanged(lease));
}

/** Writes an active lease; moves it among those that wait to become stale. */
export function rewriteLease(store: KeyValueStore, before: Lease, after: Lease): void {
  if (staleHeight(before) !== staleHeight(after)) {
    store.delete(staleKey(before));
    store.set(staleKey(after), mark);
  }
  leases.put(store, orderIdOf(after), after);
}

/** What the datacenter is due since the last payment: micro-units. */
export interface Dues {
  readonly rent: bigint;
  readonly interest: bigint;
}

/**
 * Rent ⌊rate × (height − start)⌋ − paid and interest ⌊collateral × (A(height) − A(start))⌋ − paid. Both count from the
 * start, so that rounding never adds up however often one confirms. Interest ends where the supply would pass its bound.
 */
export function duesOf(store: KeyValueReader, lease: Lease, height: bigint): Dues {
  const rent = (BigInt(lease.rate) * (height - lease.startHeight)) / scale - lease.rentPaid;
  const growth = accumulatorAt(store, height) - BigInt(lease.interestStart);
  const interest = (lease.collateral * growth) / scale - lease.interestPaid;
  const totals = getTotals(store);
  const room = maxSupply - totals.genesisSupply - totals.interestMinted;
  return { rent, interest: interest < room ? interest : room };
}

/**
 * Pays what is due from the deposit and from new interest, and returns the lease as it is then (not written yet).
 * A lease that is not stale always holds enough: its deposit is ⌈rate × period⌉ after each confirmation.
 */
export function payDues(store: KeyValueStore, lease: Lease, dues: Dues): Lease {
  if (dues.rent > lease.deposit) throw new Error("a lease's deposit does not cover a period's rent");
  credit(store, lease.datacenter, dues.rent + dues.interest);
  adjustTotals(store, {
    deposits: -dues.rent,
    balances: dues.rent + dues.interest,
    interestMinted: dues.interest,
  });
  return {
    ...lease,
    deposit: lease.deposit - dues.rent,
    rentPaid: lease.rentPaid + dues.rent,
    interestPaid: lease.interestPaid + dues.interest,
  };
}

/**
 * Active → closed. The datacenter gets what is due and its collateral, the tenant the rest of the deposit. A lease
 * that is stale by now, though no facilitator has said so yet, breaks instead. What follows for the infrastructure
 * (a successor, a new order) is the caller's. PERF: O(1).
 *
 * @param by the account that ended it; empty: the exchange itself
 */
export function closeLease(
  store: KeyValueStore,
  context: TransitionContext,
  id: OrderId,
  reason: CloseReason,
  by: string,
): void {
  const lease = leases.need(store, id);
  if (isStale(lease, context.height)) {
    breakLease(store, context, id, CloseReason.STALE, "");
    return;
  }
  const settled = payDues(store, lease, duesOf(store, lease, context.height));
  credit(store, settled.datacenter, settled.collateral);
  credit(store, id.tenant, settled.deposit);
  adjustTotals(store, {
    collateral: -settled.collateral,
    deposits: -settled.deposit,
    balances: settled.collateral + settled.deposit,
  });
  finish(store, context, lease, { ...settled, state: LeaseState.CLOSED, closeReason: reason, closedBy: by });
}

/**
 * Active → broken: the tail since the last confirmation is unpaid, collateral and deposit go to the tenant, and the
 * datacenter may not offer on this infrastructure for the exclusion period. PERF: O(1).
 */
export function breakLease(
  store: KeyValueStore,
  context: TransitionContext,
  id: OrderId,
  reason: CloseReason.STALE | CloseReason.WITHDRAWN,
  by: string,
): void {
  const lease = leases.need(store, id);
  const returned = lease.collateral + lease.deposit;
  credit(store, id.tenant, returned);
  adjustTotals(store, { collateral: -lease.collateral, deposits: -lease.deposit, balances: returned });
  exclude(store, context, lease);
  finish(store, context, lease, { ...lease, state: LeaseState.BROKEN, closeReason: reason, closedBy: by });
}

function exclude(store: KeyValueStore, context: TransitionContext, lease: Lease): void {
  const period = getParameters(store).exclusionPeriod;
  if (period === 0n) return;
  const infrastructure = infrastructureOf(orderIdOf(lease));
  const endHeight = context.height + period;
  exclusions.put(store, { infrastructure, datacenter: lease.datacenter }, { endHeight });
  setTimer(store, endHeight + 1n, {
    kind: TimerKind.EXCLUSION_END,
    subject: { ...orderIdOf(lease), generation: 0 },
    datacenter: lease.datacenter,
  });
}

/** Takes the lease out of everything that only active ones are in. */
function finish(store: KeyValueStore, context: TransitionContext, before: Lease, after: Lease): void {
  const id = orderIdOf(before);
  store.delete(activeKey(before));
  store.delete(datacenterKey(before));
  store.delete(staleKey(before));
  if (before.handoverDeadline !== 0n)
    clearTimer(store, before.handoverDeadline + 1n, leaseTimer(TimerKind.HANDOVER, id));
  if (before.noticeEndHeight !== 0n) clearTimer(store, before.noticeEndHeight, leaseTimer(TimerKind.NOTICE, id));
  const ended: Lease = { ...after, deposit: 0n, closedHeight: context.height };
  leases.put(store, id, ended);
  const fulfillment = fulfillments.need(store, { order: id, index: before.fulfillmentIndex });
  const withdrawn = after.closeReason === CloseReason.WITHDRAWN;
  releaseMatched(store, context, fulfillment, withdrawn ? FulfillmentState.CANCELLED : FulfillmentState.MATCHED);
  changeMatchedCollateral(store, context.height, -before.collateral);
  const infrastructure = infrastructureOf(id);
  const slot = slots.need(store, infrastructure);
  if (slot.lease === id.generation) slots.put(store, infrastructure, { ...slot, lease: 0 });
  else slots.put(store, infrastructure, { ...slot, successor: 0 });
  adjustTotals(store, { activeLeases: -1n });
  schedulePruning(store, context, id);
  context.events.emit(leaseChanged(ended));
}
