import { type Fulfillment, FulfillmentState, type Order, type OrderId } from "@dcx/protocol";
import { credit } from "./accounts";
import type { TransitionContext } from "./context";
import { fulfillmentChanged } from "./events";
import { fulfillmentKey, orderKey, prefixEnd, rateKey, tables, textKey, uint32Key, uint64Key } from "./keys";
import { fulfillmentIdOf, fulfillments, orderIdOf } from "./records";
import type { KeyValueReader, KeyValueStore } from "./store";
import { adjustTotals } from "./totals";

/** Key in the index of bids: the lowest rate first, then the earliest by height and index. */
function bidKey(fulfillment: Fulfillment): string {
  const { order, index } = fulfillmentIdOf(fulfillment);
  const rank = rateKey(BigInt(fulfillment.rate)) + uint64Key(fulfillment.height) + uint32Key(index);
  return tables.bid + orderKey(order) + rank;
}

function datacenterKey(fulfillment: Fulfillment): string {
  const { order, index } = fulfillmentIdOf(fulfillment);
  return tables.datacenterFulfillment + textKey(fulfillment.datacenter) + fulfillmentKey(order, index);
}

/** Enters a fulfillment, whose collateral has been posted, among the open ones of its order. */
export function addBid(store: KeyValueStore, context: TransitionContext, fulfillment: Fulfillment): void {
  const id = fulfillmentIdOf(fulfillment);
  fulfillments.put(store, id, fulfillment);
  store.set(bidKey(fulfillment), Buffer.from(uint32Key(id.index), "latin1"));
  store.set(datacenterKey(fulfillment), fulfillmentReference);
  context.events.emit(fulfillmentChanged(fulfillment));
}

/** An index entry's value where the key says it all; stores need not hold empty values. */
const fulfillmentReference = Uint8Array.of(1);

function* bids(store: KeyValueReader, order: OrderId, reverse: boolean, limit?: number): Generator<Fulfillment> {
  const prefix = tables.bid + orderKey(order);
  const entries = [...store.range(prefix, prefixEnd(prefix), limit === undefined ? { reverse } : { reverse, limit })];
  for (const [, value] of entries) yield fulfillments.need(store, { order, index: Buffer.from(value).readUInt32BE(0) });
}

/** The cheapest open fulfillment of an order. PERF: one range of one, one read. */
export function cheapestBid(store: KeyValueReader, order: OrderId): Fulfillment | undefined {
  const [first] = bids(store, order, false, 1);
  return first;
}

/** The dearest, latest open fulfillment: the one that a better one evicts. PERF: one range of one, one read. */
export function worstBid(store: KeyValueReader, order: OrderId): Fulfillment | undefined {
  const [last] = bids(store, order, true, 1);
  return last;
}

/** All open fulfillments of an order, cheapest first; at most max-fulfillments-per-order. */
function openBids(store: KeyValueReader, order: OrderId): Fulfillment[] {
  return [...bids(store, order, false)];
}

/** Whether the datacenter has an open or matched fulfillment on that order. PERF: one range of one. */
export function hasBid(store: KeyValueReader, datacenter: string, order: OrderId): boolean {
  const prefix = tables.datacenterFulfillment + textKey(datacenter) + orderKey(order);
  return [...store.range(prefix, prefixEnd(prefix), { limit: 1 })].length > 0;
}

/** Open → matched: its collateral stays posted, now for the lease. */
export function matchBid(store: KeyValueStore, context: TransitionContext, fulfillment: Fulfillment): void {
  store.delete(bidKey(fulfillment));
  const matched: Fulfillment = { ...fulfillment, state: FulfillmentState.MATCHED };
  fulfillments.put(store, fulfillmentIdOf(fulfillment), matched);
  context.events.emit(fulfillmentChanged(matched));
}

/**
 * Ends an open fulfillment and returns its collateral to the datacenter.
 * The order's count of fulfillments is the caller's.
 */
export function endBid(
  store: KeyValueStore,
  context: TransitionContext,
  fulfillment: Fulfillment,
  state: FulfillmentState.LOST | FulfillmentState.CANCELLED | FulfillmentState.EXPIRED,
): void {
  store.delete(bidKey(fulfillment));
  store.delete(datacenterKey(fulfillment));
  const ended: Fulfillment = { ...fulfillment, state, collateral: 0n };
  fulfillments.put(store, fulfillmentIdOf(fulfillment), ended);
  credit(store, fulfillment.datacenter, fulfillment.collateral);
  adjustTotals(store, { collateral: -fulfillment.collateral, balances: fulfillment.collateral });
  context.events.emit(fulfillmentChanged(ended));
}

/** Ends the matched fulfillment of a lease that ends; where the collateral goes is the lease's matter. */
export function releaseMatched(
  store: KeyValueStore,
  context: TransitionContext,
  fulfillment: Fulfillment,
  state: FulfillmentState.MATCHED | FulfillmentState.CANCELLED,
): void {
  store.delete(datacenterKey(fulfillment));
  const ended: Fulfillment = { ...fulfillment, state, collateral: 0n };
  fulfillments.put(store, fulfillmentIdOf(fulfillment), ended);
  if (state !== fulfillment.state) context.events.emit(fulfillmentChanged(ended));
}

/** Ends every open fulfillment of an order. PERF: O(fulfillments), at most max-fulfillments-per-order. */
export function endAllBids(
  store: KeyValueStore,
  context: TransitionContext,
  order: Order,
  state: FulfillmentState.LOST | FulfillmentState.EXPIRED,
): void {
  for (const fulfillment of openBids(store, orderIdOf(order))) endBid(store, context, fulfillment, state);
}
