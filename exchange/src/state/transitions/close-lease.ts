import {
  CloseReason,
  ExchangeErrorCode,
  LeaseState,
  type MsgCloseLease,
  type MsgCloseLeaseResponse,
} from "@dcx/protocol";
import type { TransactionContext } from "../context";
import { findActiveDeployment } from "../deployments";
import { ExchangeError } from "../errors";
import { describeOrder } from "../keys";
import { closeLease as endLease } from "../leases";
import { checkLeaseLimits, roleOf } from "../managers";
import { closeOrder, openOrder } from "../orders";
import { findLease, infrastructureOf, orders, slots, withGeneration } from "../records";
import type { KeyValueStore } from "../store";
import { promote } from "../succession";
import { checkAddress, checkOrderId } from "../validation";

/**
 * A tenant or manager ends one lease: it settles, the collateral returns. An open order that was to replace it is
 * superseded; an unconfirmed successor takes its place. `reopen` opens an order that denies this datacenter, unless a
 * successor has taken over.
 *
 * design: "Transactions".
 * @throws ExchangeError LeaseNotFound, LeaseNotActive, Unauthorized, ManagerLimit
 *
 * PERF: O(fulfillments of the order that was to replace it).
 */
export function closeLease(
  state: KeyValueStore,
  context: TransactionContext,
  message: MsgCloseLease,
): MsgCloseLeaseResponse {
  checkAddress(state, message.sender, "sender");
  const id = checkOrderId(message.lease, "lease");
  const lease = findLease(state, id);
  if (lease.state !== LeaseState.ACTIVE)
    throw new ExchangeError(
      ExchangeErrorCode.LeaseNotActive,
      `lease ${describeOrder(id)} ended at block ${lease.closedHeight}`,
    );
  const infrastructure = infrastructureOf(id);
  const deployment = findActiveDeployment(state, infrastructure.deployment);
  checkLeaseLimits(roleOf(deployment, message.sender, context.height), lease);

  endLease(state, context, id, CloseReason.TENANT, message.sender);
  const slot = slots.need(state, infrastructure);
  if (slot.lease === 0 && slot.order !== 0)
    closeOrder(state, context, orders.need(state, withGeneration(infrastructure, slot.order)), CloseReason.SUPERSEDED);
  promote(state, context, infrastructure);
  if (!message.reopen) return {};
  const after = slots.need(state, infrastructure);
  const awaited = after.order !== 0 || after.successor !== 0;
  const succeeded = after.lease > id.generation;
  if (!awaited && !succeeded) openOrder(state, context, infrastructure, [lease.datacenter]);
  return {};
}
