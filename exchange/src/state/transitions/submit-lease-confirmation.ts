import {
  CloseReason,
  ConfirmationOutcome,
  ExchangeErrorCode,
  type LeaseConfirmation,
  type LeaseConfirmationResult,
  LeaseState,
  type MsgSubmitLeaseConfirmation,
  type MsgSubmitLeaseConfirmationResponse,
  type OrderId,
} from "@dcx/protocol";
import { balanceOf, debit } from "../accounts";
import type { TransactionContext } from "../context";
import { ExchangeError, invalid } from "../errors";
import { leaseChanged } from "../events";
import { sameBytes } from "../keys";
import { closeLease, type Dues, duesOf, isStale, payDues, rewriteLease } from "../leases";
import { closeOrder } from "../orders";
import { depositFor } from "../quantities";
import { deployments, getParameters, infrastructureOf, leases, orders, slots, withGeneration } from "../records";
import type { KeyValueReader, KeyValueStore } from "../store";
import { completeHandover, isSuccessor, promote } from "../succession";
import { adjustTotals } from "../totals";
import { checkAddress, checkOrderId, isOrderId } from "../validation";

/**
 * A datacenter confirms leases that it serves, each with an outcome of its own. Rent due is paid from the deposit, which
 * the tenant then refills to ⌈rate × period⌉; a tenant who can't closes the lease as insufficient-funds. Interest is
 * paid on the collateral. A successor that serves the deployment's version within its deadline takes over.
 *
 * specification: "SubmitLeaseConfirmation"; design: "Transactions", "Replacing a lease".
 * @throws ExchangeError InvalidMessage, LimitExceeded; never for what one of the leases is like
 *
 * PERF: O(confirmations); a successor that takes over reads its deployment.
 */
export function submitLeaseConfirmation(
  state: KeyValueStore,
  context: TransactionContext,
  message: MsgSubmitLeaseConfirmation,
): MsgSubmitLeaseConfirmationResponse {
  checkAddress(state, message.datacenter, "datacenter");
  const { maxConfirmations } = getParameters(state);
  const { confirmations } = message;
  if (confirmations.length === 0) throw invalid("confirmations", "must not be empty");
  if (confirmations.length > maxConfirmations)
    throw new ExchangeError(
      ExchangeErrorCode.LimitExceeded,
      `confirmations: ${confirmations.length}, at most ${maxConfirmations}`,
    );
  for (const [index, { lease, version }] of confirmations.entries()) {
    checkOrderId(lease, `confirmations[${index}].lease`);
    if (version.length !== 0 && version.length !== 32)
      throw invalid(`confirmations[${index}].version`, "must be empty or 32 bytes");
  }
  return { results: confirmations.map((confirmation) => confirm(state, context, message.datacenter, confirmation)) };
}

/**
 * Whether at least one of the leases that a confirmation names is active and the sender's own, and all are named as
 * leases are: for such ones a part of every block is kept, which would be anybody's if the type alone counted, and filled
 * by a few if it could be of any size. PERF: a read for each lease named.
 */
export function confirmsOwnLease(store: KeyValueReader, message: MsgSubmitLeaseConfirmation): boolean {
  const { confirmations } = message;
  if (confirmations.length > getParameters(store).maxConfirmations) return false;
  const isNamed = ({ lease, version }: LeaseConfirmation) =>
    lease !== undefined && isOrderId(lease) && (version.length === 0 || version.length === 32);
  if (!confirmations.every(isNamed)) return false;
  return message.confirmations.some(({ lease: id }) => {
    const lease = id === undefined ? undefined : leases.get(store, id);
    return lease?.state === LeaseState.ACTIVE && lease.datacenter === message.datacenter;
  });
}

const nothing: Dues = { rent: 0n, interest: 0n };

function confirm(
  state: KeyValueStore,
  context: TransactionContext,
  datacenter: string,
  confirmation: LeaseConfirmation,
): LeaseConfirmationResult {
  const id = checkOrderId(confirmation.lease, "lease");
  const lease = leases.get(state, id);
  if (lease === undefined || lease.state !== LeaseState.ACTIVE || lease.datacenter !== datacenter)
    return { outcome: ConfirmationOutcome.NOT_ACTIVE, ...nothing };
  if (isStale(lease, context.height)) return { outcome: ConfirmationOutcome.TOO_LATE, ...nothing };

  const dues = duesOf(state, lease, context.height);
  const full = depositFor(BigInt(lease.rate), lease.reconfirmationPeriod);
  const refill = full - (lease.deposit - dues.rent);
  if (balanceOf(state, id.tenant) < refill) {
    endForLackOfFunds(state, context, id);
    return { outcome: ConfirmationOutcome.INSUFFICIENT_FUNDS, ...dues };
  }
  const paid = payDues(state, lease, dues);
  debit(state, id.tenant, refill, "the deposit of a lease");
  adjustTotals(state, { balances: -refill, deposits: refill });
  const confirmed = {
    ...paid,
    deposit: full,
    lastConfirmedHeight: context.height,
    confirmedVersion: confirmation.version,
  };
  rewriteLease(state, lease, confirmed);
  if (!sameBytes(lease.confirmedVersion, confirmation.version)) context.events.emit(leaseChanged(confirmed));
  if (isSuccessor(confirmed) && context.height <= confirmed.handoverDeadline) {
    const deployment = deployments.need(state, infrastructureOf(id).deployment);
    if (sameBytes(deployment.version, confirmation.version)) completeHandover(state, context, confirmed, id);
  }
  return { outcome: ConfirmationOutcome.CONFIRMED, ...dues };
}

/**
 * The datacenter gets what is due and its collateral; nothing reopens, and an open order that was to replace the lease
 * closes too: its tenant could not pay that either. A successor that is running has a deposit of its own, and stays.
 */
function endForLackOfFunds(state: KeyValueStore, context: TransactionContext, id: OrderId): void {
  closeLease(state, context, id, CloseReason.INSUFFICIENT_FUNDS, "");
  const infrastructure = infrastructureOf(id);
  const slot = slots.need(state, infrastructure);
  if (slot.lease !== 0) return;
  if (slot.order !== 0)
    closeOrder(
      state,
      context,
      orders.need(state, withGeneration(infrastructure, slot.order)),
      CloseReason.INSUFFICIENT_FUNDS,
    );
  promote(state, context, infrastructure);
}
