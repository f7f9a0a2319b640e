import type { MsgDelegate, MsgDelegateResponse } from "cosmjs-types/cosmos/staking/v1beta1/tx";
import { debit } from "../accounts";
import { tokensOf } from "../coins";
import type { TransactionContext } from "../context";
import { addStake } from "../delegations";
import { stakeChanged } from "../events";
import { accountOfOperator } from "../operators";
import { getChain } from "../records";
import type { KeyValueStore } from "../store";
import { adjustTotals } from "../totals";
import { checkAddress } from "../validation";
import { findValidator, stakingParameters } from "../validators";

/**
 * Stakes tokens with a validator: the staking module's message. What they have earned so far is paid out.
 *
 * @throws ExchangeError NotOffered, InvalidAddress, InvalidMessage, ValidatorNotFound, InsufficientFunds, TermsNotMet
 *
 * PERF: O(1).
 */
export function delegate(state: KeyValueStore, context: TransactionContext, message: MsgDelegate): MsgDelegateResponse {
  stakingParameters(state);
  const { delegatorAddress: delegator, validatorAddress } = message;
  checkAddress(state, delegator, "delegator_address");
  const { operator } = findValidator(state, accountOfOperator(validatorAddress, "validator_address"));
  const amount = tokensOf(state, message.amount, "amount");
  debit(state, delegator, amount, "the stake");
  adjustTotals(state, { balances: -amount });
  addStake(state, context, { delegator, validator: operator }, amount);
  context.events.emit(
    stakeChanged("delegate", {
      validator: validatorAddress,
      delegator,
      amount: `${amount}${getChain(state).denomination}`,
    }),
  );
  return {};
}
