import {
  CloseReason,
  ExchangeErrorCode,
  LeaseState,
  type MsgSubmitStaleLease,
  type MsgSubmitStaleLeaseResponse,
} from "@dcx/protocol";
import type { TransactionContext } from "../context";
import { ExchangeError } from "../errors";
import { describeOrder } from "../keys";
import { breakLease, isStale } from "../leases";
import { findLease } from "../records";
import type { KeyValueStore } from "../store";
import { reopenAfterLoss } from "../succession";
import { checkOrderId } from "../validation";

/**
 * A facilitator breaks a lease that was not confirmed for its period: the tail is unpaid, the collateral goes to the
 * tenant, and with `persist` an order opens.
 *
 * specification: "SubmitStaleLease", "InvalidateStaleLeases"; design: "Transactions".
 * @throws ExchangeError LeaseNotFound, LeaseNotActive, LeaseNotStale
 *
 * PERF: O(size of the deployment's record).
 */
export function submitStaleLease(
  state: KeyValueStore,
  context: TransactionContext,
  message: MsgSubmitStaleLease,
): MsgSubmitStaleLeaseResponse {
  const id = checkOrderId(message.lease, "lease");
  const lease = findLease(state, id);
  if (lease.state !== LeaseState.ACTIVE)
    throw new ExchangeError(ExchangeErrorCode.LeaseNotActive, `lease ${describeOrder(id)} is not active`);
  if (!isStale(lease, context.height))
    throw new ExchangeError(
      ExchangeErrorCode.LeaseNotStale,
      `lease ${describeOrder(id)} was confirmed at block ${lease.lastConfirmedHeight}, within its period`,
    );
  breakLease(state, context, id, CloseReason.STALE, "");
  reopenAfterLoss(state, context, id);
  return {};
}
