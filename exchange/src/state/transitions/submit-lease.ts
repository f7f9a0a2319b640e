import {
  CloseReason,
  ExchangeErrorCode,
  FulfillmentState,
  LeaseState,
  type MsgSubmitLease,
  type MsgSubmitLeaseResponse,
  OrderState,
} from "@dcx/protocol";
import { balanceOf, debit } from "../accounts";
import { admissionRefusal } from "../admission";
import type { TransactionContext } from "../context";
import { ExchangeError } from "../errors";
import { cheapestBid, endBid, matchBid } from "../fulfillments";
import { accumulatorAt } from "../interest";
import { describeFulfillment, describeOrder } from "../keys";
import { startLease } from "../leases";
import { closeOrder, matchOrder, rewriteOrder } from "../orders";
import { depositFor } from "../quantities";
import {
  datacenters,
  findFulfillment,
  findOrder,
  fulfillmentIdOf,
  getParameters,
  infrastructureOf,
  slots,
} from "../records";
import type { KeyValueStore } from "../store";
import { adjustTotals } from "../totals";
import { checkFulfillmentId } from "../validation";

/**
 * A facilitator matches an open order whose wait is over with its cheapest fulfillment (lowest Σ rate × count, then the
 * earliest by height and index). ⌈rate × period⌉ moves from the tenant into the lease's deposit; a tenant who can't pay
 * it closes the order as unfunded. A cheapest fulfillment whose datacenter has meanwhile changed its record so that it
 * no longer meets the terms, or has broken a lease of this infrastructure, has lost; the order stays open for the next.
 *
 * specification: "SubmitLease", "MatchOpenOrders"; design: "Transactions", "Facilitators".
 * @throws ExchangeError OrderNotFound, OrderNotOpen, OrderWaiting, FulfillmentNotFound, NotCheapest
 *
 * PERF: O(fulfillments of the order), at most max-fulfillments-per-order.
 */
export function submitLease(
  state: KeyValueStore,
  context: TransactionContext,
  message: MsgSubmitLease,
): MsgSubmitLeaseResponse {
  const fulfillmentId = checkFulfillmentId(message.fulfillment, "fulfillment");
  const id = fulfillmentId.order;
  const order = findOrder(state, id);
  if (order.state !== OrderState.OPEN)
    throw new ExchangeError(ExchangeErrorCode.OrderNotOpen, `order ${describeOrder(id)} is not open`);
  if (context.height < order.dueHeight)
    throw new ExchangeError(
      ExchangeErrorCode.OrderWaiting,
      `order ${describeOrder(id)} waits up to block ${order.dueHeight}`,
    );
  const fulfillment = findFulfillment(state, fulfillmentId);
  const cheapest = cheapestBid(state, id);
  if (cheapest === undefined || fulfillmentIdOf(cheapest).index !== fulfillmentId.index)
    throw new ExchangeError(
      ExchangeErrorCode.NotCheapest,
      `fulfillment ${describeFulfillment(fulfillmentId)} is not the cheapest open one of its order`,
    );

  const datacenter = datacenters.need(state, fulfillment.datacenter);
  if (admissionRefusal(state, context.height, order, datacenter) !== undefined) {
    endBid(state, context, fulfillment, FulfillmentState.LOST);
    rewriteOrder(state, order, { ...order, fulfillmentCount: order.fulfillmentCount - 1 });
    return {};
  }

  const parameters = getParameters(state);
  const deposit = depositFor(BigInt(fulfillment.rate), parameters.reconfirmationPeriod);
  if (balanceOf(state, id.tenant) < deposit) {
    closeOrder(state, context, order, CloseReason.UNFUNDED);
    return {};
  }
  debit(state, id.tenant, deposit, "the deposit of a lease");
  adjustTotals(state, { balances: -deposit, deposits: deposit });
  matchBid(state, context, fulfillment);
  matchOrder(state, context, order);
  const infrastructure = infrastructureOf(id);
  const slot = slots.need(state, infrastructure);
  const replaces = order.replacesGeneration;
  slots.put(
    state,
    infrastructure,
    replaces === 0 ? { ...slot, lease: id.generation } : { ...slot, successor: id.generation },
  );
  startLease(state, context, {
    id,
    fulfillmentIndex: fulfillmentId.index,
    datacenter: fulfillment.datacenter,
    state: LeaseState.ACTIVE,
    closeReason: CloseReason.UNSPECIFIED,
    closedBy: "",
    region: datacenter.region,
    attributes: datacenter.attributes,
    resources: fulfillment.resources,
    rate: fulfillment.rate,
    reconfirmationPeriod: parameters.reconfirmationPeriod,
    collateral: fulfillment.collateral,
    startHeight: context.height,
    lastConfirmedHeight: context.height,
    closedHeight: 0n,
    rentPaid: 0n,
    interestPaid: 0n,
    deposit,
    interestStart: accumulatorAt(state, context.height).toString(),
    confirmedVersion: new Uint8Array(0),
    noticeEndHeight: 0n,
    replacesGeneration: replaces,
    handoverDeadline: replaces === 0 ? 0n : context.height + parameters.handoverPeriod,
  });
  return {};
}
