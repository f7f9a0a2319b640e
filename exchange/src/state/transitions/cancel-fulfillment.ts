import {
  CloseReason,
  ExchangeErrorCode,
  FulfillmentState,
  LeaseState,
  type MsgCancelFulfillment,
  type MsgCancelFulfillmentResponse,
} from "@dcx/protocol";
import type { TransactionContext } from "../context";
import { ExchangeError } from "../errors";
import { endBid } from "../fulfillments";
import { describeFulfillment } from "../keys";
import { breakLease } from "../leases";
import { rewriteOrder } from "../orders";
import { findFulfillment, leases, orders } from "../records";
import type { KeyValueStore } from "../store";
import { reopenAfterLoss } from "../succession";
import { checkAddress, checkFulfillmentId } from "../validation";

/**
 * A datacenter takes an offer back. Open: the collateral returns. Matched: the lease breaks, the collateral goes to the
 * tenant, and with `persist` an order opens.
 *
 * specification: "CancelFulfillment"; design: "Transactions".
 * @throws ExchangeError FulfillmentNotFound, FulfillmentNotActive, Unauthorized
 *
 * PERF: O(1).
 */
export function cancelFulfillment(
  state: KeyValueStore,
  context: TransactionContext,
  message: MsgCancelFulfillment,
): MsgCancelFulfillmentResponse {
  checkAddress(state, message.datacenter, "datacenter");
  const id = checkFulfillmentId(message.id, "id");
  const fulfillment = findFulfillment(state, id);
  if (fulfillment.datacenter !== message.datacenter)
    throw new ExchangeError(
      ExchangeErrorCode.Unauthorized,
      `fulfillment ${describeFulfillment(id)} is ${fulfillment.datacenter}'s`,
    );
  if (fulfillment.state === FulfillmentState.OPEN) {
    const order = orders.need(state, id.order);
    endBid(state, context, fulfillment, FulfillmentState.CANCELLED);
    rewriteOrder(state, order, { ...order, fulfillmentCount: order.fulfillmentCount - 1 });
    return {};
  }
  const matched = fulfillment.state === FulfillmentState.MATCHED;
  if (!matched || leases.get(state, id.order)?.state !== LeaseState.ACTIVE)
    throw new ExchangeError(
      ExchangeErrorCode.FulfillmentNotActive,
      `fulfillment ${describeFulfillment(id)} is neither open nor matched to an active lease`,
    );
  breakLease(state, context, id.order, CloseReason.WITHDRAWN, message.datacenter);
  reopenAfterLoss(state, context, id.order);
  return {};
}
