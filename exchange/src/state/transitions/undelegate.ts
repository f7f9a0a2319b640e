import { ExchangeErrorCode } from "@dcx/protocol";
import type { MsgUndelegate, MsgUndelegateResponse } from "cosmjs-types/cosmos/staking/v1beta1/tx";
import { tokensOf } from "../coins";
import type { TransactionContext } from "../context";
import { findDelegation, removeStake, worthOf } from "../delegations";
import { ExchangeError } from "../errors";
import { stakeChanged } from "../events";
import { accountOfOperator } from "../operators";
import { getChain } from "../records";
import type { KeyValueStore } from "../store";
import { startUnbonding } from "../unbondings";
import { checkAddress } from "../validation";
import { findValidator, stakingParameters } from "../validators";

/**
 * Takes stake back: the staking module's message. The tokens stay locked for the unbonding period, and are slashed for
 * what the validator did before. The period is counted in blocks, so the time in the answer is not known: it is 0, and
 * the event names the height.
 *
 * @throws ExchangeError NotOffered, InvalidAddress, InvalidMessage, ValidatorNotFound, DelegationNotFound,
 *   InsufficientFunds, LimitExceeded
 *
 * PERF: O(unbondings of this delegator from this validator), which are bounded.
 */
export function undelegate(
  state: KeyValueStore,
  context: TransactionContext,
  message: MsgUndelegate,
): MsgUndelegateResponse {
  stakingParameters(state);
  const { delegatorAddress: delegator, validatorAddress } = message;
  checkAddress(state, delegator, "delegator_address");
  const { operator } = findValidator(state, accountOfOperator(validatorAddress, "validator_address"));
  const id = { delegator, validator: operator };
  const delegation = findDelegation(state, id);
  const asked = tokensOf(state, message.amount, "amount");
  const worth = worthOf(state, delegation);
  if (asked > worth)
    throw new ExchangeError(
      ExchangeErrorCode.InsufficientFunds,
      `${delegator} has ${worth} micro-units with ${validatorAddress}, it takes back ${asked}`,
    );
  const amount = removeStake(state, context, delegation, asked);
  const { endHeight } = startUnbonding(state, context, id, amount);
  const coin = { denom: getChain(state).denomination, amount: amount.toString() };
  context.events.emit(
    stakeChanged("unbond", {
      validator: validatorAddress,
      delegator,
      amount: `${amount}${coin.denom}`,
      completion_height: endHeight.toString(),
    }),
  );
  return { completionTime: { seconds: 0n, nanos: 0 }, amount: coin };
}
