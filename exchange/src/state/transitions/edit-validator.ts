import { ExchangeErrorCode } from "@dcx/protocol";
import type { MsgEditValidator, MsgEditValidatorResponse } from "cosmjs-types/cosmos/staking/v1beta1/tx";
import type { TransactionContext } from "../context";
import { selfStake } from "../delegations";
import { ExchangeError, invalid } from "../errors";
import { stakeChanged } from "../events";
import { accountOfOperator } from "../operators";
import { present } from "../records";
import { countRewards } from "../rewards";
import type { KeyValueStore } from "../store";
import { checkedDescription, parseMinSelfDelegation, parseShare } from "../validator-terms";
import { findValidator, rewriteValidator, stakingParameters } from "../validators";

/**
 * Changes what an operator says of its validator, and what it takes of the fees: the staking module's message. A rate
 * or a least stake that is empty stays as it is. Fees up to now are shared by the old rate.
 *
 * @throws ExchangeError NotOffered, InvalidAddress, ValidatorNotFound, InvalidMessage, LimitExceeded where the rate has
 *   been changed within the commission period
 *
 * PERF: O(1).
 */
export function editValidator(
  state: KeyValueStore,
  context: TransactionContext,
  message: MsgEditValidator,
): MsgEditValidatorResponse {
  const { commissionPeriod } = stakingParameters(state);
  const operator = accountOfOperator(message.validatorAddress, "validator_address");
  const before = findValidator(state, operator);
  let commission = present(before.commission, "commission of a validator");
  if (message.commissionRate !== "") {
    const rate = parseShare(message.commissionRate, "commission_rate");
    const { changedHeight, maxChange, maxRate, rate: old } = commission;
    if (context.height < changedHeight + commissionPeriod)
      throw new ExchangeError(
        ExchangeErrorCode.LimitExceeded,
        `commission_rate: changed at height ${changedHeight}, it can change again from height ${changedHeight + commissionPeriod}`,
      );
    if (rate > BigInt(maxRate)) throw invalid("commission_rate", `must be at most max_rate, ${maxRate}`);
    const difference = rate - BigInt(old);
    if (difference > BigInt(maxChange) || -difference > BigInt(maxChange))
      throw invalid("commission_rate", `must differ from ${old} by at most max_change_rate, ${maxChange}`);
    countRewards(state, operator);
    commission = { ...commission, rate: rate.toString(), changedHeight: context.height };
  }
  let { minSelfDelegation } = before;
  if (message.minSelfDelegation !== "") {
    minSelfDelegation = parseMinSelfDelegation(message.minSelfDelegation);
    if (minSelfDelegation < before.minSelfDelegation)
      throw invalid("min_self_delegation", `can only rise, it is ${before.minSelfDelegation}`);
    const own = selfStake(state, before);
    if (minSelfDelegation > own) throw invalid("min_self_delegation", `must be at most the own stake, ${own}`);
  }
  const description = checkedDescription(state, message.description, before.description);
  rewriteValidator(state, before, { ...before, description, commission, minSelfDelegation });
  context.events.emit(
    stakeChanged("edit_validator", { validator: message.validatorAddress, commission_rate: commission.rate }),
  );
  return {};
}
