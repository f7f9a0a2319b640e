import {
  ExchangeErrorCode,
  type Fulfillment,
  FulfillmentState,
  type MsgSubmitFulfillment,
  type MsgSubmitFulfillmentResponse,
  type Order,
  type OrderId,
  OrderState,
} from "@dcx/protocol";
import { debit } from "../accounts";
import { admissionRefusal, offerProblem } from "../admission";
import type { TransactionContext } from "../context";
import { ExchangeError } from "../errors";
import { addBid, endBid, hasBid, worstBid } from "../fulfillments";
import { describeOrder } from "../keys";
import { rewriteOrder, termsOf } from "../orders";
import { totalCollateral, totalRate } from "../quantities";
import { datacenters, findOrder, getParameters } from "../records";
import type { KeyValueStore } from "../store";
import { adjustTotals } from "../totals";
import { checkAddress, checkedGroups, checkOrderId } from "../validation";

/**
 * A datacenter offers on an open order: the same groups at prices up to the order's, with the groups' collateral posted.
 * Where the order is full, a cheaper offer evicts the dearest (of equals the latest), whose collateral returns.
 *
 * specification: "SubmitFulfillment", "Fulfillment"; design: "Transactions", "State" (the cap on fulfillments).
 * @throws ExchangeError OrderNotFound, OrderNotOpen, DatacenterNotFound, TermsNotMet, Excluded, OfferMismatch,
 *   FulfillmentExists, OrderFull, InsufficientFunds
 *
 * PERF: O(attributes + groups), whatever the number of fulfillments.
 */
export function submitFulfillment(
  state: KeyValueStore,
  context: TransactionContext,
  message: MsgSubmitFulfillment,
): MsgSubmitFulfillmentResponse {
  checkAddress(state, message.datacenter, "datacenter");
  const id = checkOrderId(message.order, "order");
  const order = findOrder(state, id);
  if (order.state !== OrderState.OPEN)
    throw new ExchangeError(
      ExchangeErrorCode.OrderNotOpen,
      `order ${describeOrder(id)} is open no more since block ${order.closedHeight}`,
    );
  const datacenter = datacenters.get(state, message.datacenter);
  if (datacenter === undefined)
    throw new ExchangeError(
      ExchangeErrorCode.DatacenterNotFound,
      `${message.datacenter} must register as a datacenter before it offers`,
    );
  const refusal = admissionRefusal(state, context.height, order, datacenter);
  if (refusal !== undefined) throw refusal;
  const parameters = getParameters(state);
  const resources = checkedGroups(parameters, message.resources, "resources");
  const problem = offerProblem(termsOf(order).resources, resources);
  if (problem !== undefined)
    throw new ExchangeError(ExchangeErrorCode.OfferMismatch, `no offer on order ${describeOrder(id)}: ${problem}`);
  if (hasBid(state, message.datacenter, id))
    throw new ExchangeError(
      ExchangeErrorCode.FulfillmentExists,
      `${message.datacenter} has an open fulfillment on order ${describeOrder(id)}: cancel it to offer again`,
    );

  const rate = totalRate(resources);
  const room = makeRoom(state, context, order, id, rate, parameters.maxFulfillmentsPerOrder);
  const collateral = totalCollateral(resources);
  debit(state, message.datacenter, collateral, `the collateral of order ${describeOrder(id)}`);
  adjustTotals(state, { balances: -collateral, collateral });
  const index = order.lastFulfillmentIndex + 1;
  const fulfillment: Fulfillment = {
    id: { order: id, index },
    datacenter: message.datacenter,
    resources,
    collateral,
    rate: rate.toString(),
    state: FulfillmentState.OPEN,
    height: context.height,
  };
  addBid(state, context, fulfillment);
  rewriteOrder(state, order, { ...order, fulfillmentCount: room + 1, lastFulfillmentIndex: index });
  return { id: { order: id, index } };
}

/** Evicts the worst fulfillment of a full order if this rate is better; the number that stay. */
function makeRoom(
  state: KeyValueStore,
  context: TransactionContext,
  order: Order,
  id: OrderId,
  rate: bigint,
  most: number,
): number {
  if (order.fulfillmentCount < most) return order.fulfillmentCount;
  const worst = worstBid(state, id);
  if (worst === undefined || BigInt(worst.rate) <= rate)
    throw new ExchangeError(
      ExchangeErrorCode.OrderFull,
      `order ${describeOrder(id)} holds ${order.fulfillmentCount} fulfillments, none dearer than ${rate}`,
    );
  endBid(state, context, worst, FulfillmentState.LOST);
  return order.fulfillmentCount - 1;
}
