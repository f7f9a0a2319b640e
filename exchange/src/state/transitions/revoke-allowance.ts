import { ExchangeErrorCode } from "@dcx/protocol";
import type { MsgRevokeAllowance, MsgRevokeAllowanceResponse } from "cosmjs-types/cosmos/feegrant/v1beta1/tx";
import type { TransactionContext } from "../context";
import { ExchangeError } from "../errors";
import { feeGrantChanged } from "../events";
import { feeGrants } from "../fee-grants";
import type { KeyValueStore } from "../store";
import { checkAddress } from "../validation";

/**
 * Ends a fee grant. What it paid stays paid.
 *
 * @throws ExchangeError InvalidAddress, FeeGrantNotFound
 *
 * PERF: O(1).
 */
export function revokeAllowance(
  state: KeyValueStore,
  context: TransactionContext,
  { granter, grantee }: MsgRevokeAllowance,
): MsgRevokeAllowanceResponse {
  checkAddress(state, granter, "granter");
  checkAddress(state, grantee, "grantee");
  const id = { granter, grantee };
  if (feeGrants.get(state, id) === undefined)
    throw new ExchangeError(ExchangeErrorCode.FeeGrantNotFound, `${granter} pays no fees of ${grantee}`);
  feeGrants.delete(state, id);
  context.events.emit(feeGrantChanged("revoke_feegrant", id));
  return {};
}
