import { ExchangeErrorCode } from "@dcx/protocol";
import type { MsgBeginRedelegate, MsgBeginRedelegateResponse } from "cosmjs-types/cosmos/staking/v1beta1/tx";
import { tokensOf } from "../coins";
import type { TransactionContext } from "../context";
import { addStake, findDelegation, removeStake, worthOf } from "../delegations";
import { ExchangeError, invalid } from "../errors";
import { stakeChanged } from "../events";
import { accountOfOperator } from "../operators";
import { getChain } from "../records";
import type { KeyValueStore } from "../store";
import { hasRedelegationTo, startRedelegation } from "../unbondings";
import { checkAddress } from "../validation";
import { findValidator, stakingParameters } from "../validators";

/**
 * Moves stake from one validator to another without a pause: the staking module's message. For the unbonding period it
 * is slashed for what the first one did before, and can't move on: or who flees a fault would be lost sight of.
 *
 * @throws ExchangeError NotOffered, InvalidAddress, InvalidMessage, ValidatorNotFound, DelegationNotFound,
 *   InsufficientFunds, RedelegationPending, LimitExceeded, TermsNotMet
 *
 * PERF: O(redelegations of this delegator to this validator), which are bounded.
 */
export function beginRedelegate(
  state: KeyValueStore,
  context: TransactionContext,
  message: MsgBeginRedelegate,
): MsgBeginRedelegateResponse {
  stakingParameters(state);
  const { delegatorAddress: delegator } = message;
  checkAddress(state, delegator, "delegator_address");
  const source = accountOfOperator(message.validatorSrcAddress, "validator_src_address");
  const destination = accountOfOperator(message.validatorDstAddress, "validator_dst_address");
  if (source === destination) throw invalid("validator_dst_address", "must be another validator");
  findValidator(state, source);
  findValidator(state, destination);
  const delegation = findDelegation(state, { delegator, validator: source });
  if (hasRedelegationTo(state, { delegator, validator: source }))
    throw new ExchangeError(
      ExchangeErrorCode.RedelegationPending,
      `stake of ${delegator} came to ${message.validatorSrcAddress} from another validator less than an unbonding period ago: it can be taken back, but not moved on`,
    );
  const asked = tokensOf(state, message.amount, "amount");
  const worth = worthOf(state, delegation);
  if (asked > worth)
    throw new ExchangeError(
      ExchangeErrorCode.InsufficientFunds,
      `${delegator} has ${worth} micro-units with ${message.validatorSrcAddress}, it moves ${asked}`,
    );
  const amount = removeStake(state, context, delegation, asked);
  addStake(state, context, { delegator, validator: destination }, amount);
  const { endHeight } = startRedelegation(state, context, delegator, { source, destination, amount });
  context.events.emit(
    stakeChanged("redelegate", {
      source_validator: message.validatorSrcAddress,
      destination_validator: message.validatorDstAddress,
      delegator,
      amount: `${amount}${getChain(state).denomination}`,
      completion_height: endHeight.toString(),
    }),
  );
  return { completionTime: { seconds: 0n, nanos: 0 } };
}
