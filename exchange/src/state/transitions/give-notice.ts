import {
  ExchangeErrorCode,
  LeaseState,
  type MsgGiveNotice,
  type MsgGiveNoticeResponse,
  TimerKind,
} from "@dcx/protocol";
import type { TransactionContext } from "../context";
import { ExchangeError } from "../errors";
import { leaseChanged } from "../events";
import { describeOrder } from "../keys";
import { rewriteLease } from "../leases";
import { openOrder } from "../orders";
import { findLease, getParameters, infrastructureOf, slots } from "../records";
import type { KeyValueStore } from "../store";
import { isSuccessor, persists } from "../succession";
import { leaseTimer, setTimer } from "../timers";
import { checkAddress, checkOrderId } from "../validation";

/**
 * A datacenter leaves in good order: with `persist` a successor order opens now (unless one, or a successor, is there),
 * and after the notice period the lease closes and the collateral returns. A successor that has not served yet gets
 * none of its own while the lease that it replaces is there.
 *
 * design: "Transactions".
 * @throws ExchangeError LeaseNotFound, LeaseNotActive, Unauthorized, NoticeGiven
 *
 * PERF: O(size of the deployment's record).
 */
export function giveNotice(
  state: KeyValueStore,
  context: TransactionContext,
  message: MsgGiveNotice,
): MsgGiveNoticeResponse {
  checkAddress(state, message.datacenter, "datacenter");
  const id = checkOrderId(message.lease, "lease");
  const lease = findLease(state, id);
  if (lease.datacenter !== message.datacenter)
    throw new ExchangeError(ExchangeErrorCode.Unauthorized, `lease ${describeOrder(id)} is ${lease.datacenter}'s`);
  if (lease.state !== LeaseState.ACTIVE)
    throw new ExchangeError(
      ExchangeErrorCode.LeaseNotActive,
      `lease ${describeOrder(id)} ended at block ${lease.closedHeight}`,
    );
  if (lease.noticeEndHeight !== 0n)
    throw new ExchangeError(
      ExchangeErrorCode.NoticeGiven,
      `notice for lease ${describeOrder(id)} was given; it ends at block ${lease.noticeEndHeight}`,
    );
  const endHeight = context.height + getParameters(state).noticePeriod;
  const leaving = { ...lease, noticeEndHeight: endHeight };
  rewriteLease(state, lease, leaving);
  setTimer(state, endHeight, leaseTimer(TimerKind.NOTICE, id));
  context.events.emit(leaseChanged(leaving));
  const infrastructure = infrastructureOf(id);
  const slot = slots.need(state, infrastructure);
  const awaited = slot.order !== 0 || slot.successor !== 0;
  if (!awaited && !isSuccessor(leaving) && persists(state, infrastructure)) openOrder(state, context, infrastructure);
  return { endHeight };
}
