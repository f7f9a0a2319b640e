import { ExchangeErrorCode } from "@dcx/protocol";
import type { MsgGrantAllowance, MsgGrantAllowanceResponse } from "cosmjs-types/cosmos/feegrant/v1beta1/tx";
import { ensureAccount } from "../accounts";
import type { TransactionContext } from "../context";
import { ExchangeError, invalid } from "../errors";
import { feeGrantChanged } from "../events";
import { feeGrants, readAllowance } from "../fee-grants";
import type { KeyValueStore } from "../store";
import { checkAddress } from "../validation";

/**
 * Lets another account's fees be paid from this one's tokens: the feegrant module's message, so wallets can send it.
 * The grantee's account is made where there is none, so that it can sign without a token of its own.
 *
 * @throws ExchangeError InvalidAddress, InvalidMessage, FeeGrantExists
 *
 * PERF: O(1).
 */
export function grantAllowance(
  state: KeyValueStore,
  context: TransactionContext,
  { granter, grantee, allowance }: MsgGrantAllowance,
): MsgGrantAllowanceResponse {
  checkAddress(state, granter, "granter");
  checkAddress(state, grantee, "grantee");
  if (granter === grantee) throw invalid("grantee", "must be another account: nobody needs a grant of their own");
  readAllowance(state, allowance);
  const id = { granter, grantee };
  if (feeGrants.get(state, id) !== undefined)
    throw new ExchangeError(
      ExchangeErrorCode.FeeGrantExists,
      `${granter} pays fees of ${grantee} already: fee allowance already exists; revoke it first`,
    );
  ensureAccount(state, grantee);
  feeGrants.put(state, id, { granter, grantee, ...(allowance === undefined ? {} : { allowance }) });
  context.events.emit(feeGrantChanged("set_feegrant", id));
  return {};
}
