import { ExchangeErrorCode } from "@dcx/protocol";
import type { MsgCreateValidator, MsgCreateValidatorResponse } from "cosmjs-types/cosmos/staking/v1beta1/tx";
import { consensusAddressOf, consensusKeyOf } from "../../consensus-key";
import { debit } from "../accounts";
import { tokensOf } from "../coins";
import type { TransactionContext } from "../context";
import { addStake } from "../delegations";
import { ExchangeError, invalid } from "../errors";
import { stakeChanged } from "../events";
import { accountOfOperator } from "../operators";
import { getChain } from "../records";
import type { KeyValueStore } from "../store";
import { adjustTotals } from "../totals";
import { checkAddress } from "../validation";
import { checkedDescription, parseMinSelfDelegation, parseShare } from "../validator-terms";
import { enterValidator, operatorByConsensusAddress, stakingParameters, takeNumber, validators } from "../validators";

/**
 * An account runs a validator from now on, with stake of its own: the staking module's message. It is in the set once
 * its stake is among the highest. That it has the consensus key shows in the blocks that it signs: as in the Cosmos SDK
 * there is no other proof of it, and who can't sign with the key is jailed for absence.
 *
 * @throws ExchangeError NotOffered, InvalidAddress, InvalidMessage, ValidatorExists, InsufficientFunds
 *
 * PERF: O(1).
 */
export function createValidator(
  state: KeyValueStore,
  context: TransactionContext,
  message: MsgCreateValidator,
): MsgCreateValidatorResponse {
  stakingParameters(state);
  const operator = accountOfOperator(message.validatorAddress, "validator_address");
  checkAddress(state, operator, "validator_address");
  if (message.delegatorAddress !== "" && message.delegatorAddress !== operator)
    throw invalid("delegator_address", "must be empty or the account that runs the validator");
  const consensusKey = consensusKeyOf(message.pubkey);
  if (consensusKey === undefined) throw invalid("pubkey", "must be an ed25519 key of 32 bytes");
  const description = checkedDescription(state, message.description);
  const rate = parseShare(message.commission.rate, "commission.rate");
  const most = parseShare(message.commission.maxRate, "commission.max_rate");
  const change = parseShare(message.commission.maxChangeRate, "commission.max_change_rate");
  if (rate > most) throw invalid("commission.rate", "must be at most max_rate");
  if (change > most) throw invalid("commission.max_change_rate", "must be at most max_rate");
  const minSelfDelegation = parseMinSelfDelegation(message.minSelfDelegation);
  const amount = tokensOf(state, message.value, "value");
  if (amount < minSelfDelegation) throw invalid("value", `must be at least min_self_delegation, ${minSelfDelegation}`);
  if (validators.get(state, operator) !== undefined)
    throw new ExchangeError(ExchangeErrorCode.ValidatorExists, `${operator} runs a validator already`);
  if (operatorByConsensusAddress(state, consensusAddressOf(consensusKey)) !== undefined)
    throw new ExchangeError(ExchangeErrorCode.ValidatorExists, "another validator has this consensus key");
  enterValidator(state, {
    operator,
    consensusKey,
    description,
    commission: {
      rate: rate.toString(),
      maxRate: most.toString(),
      maxChange: change.toString(),
      changedHeight: context.height,
    },
    minSelfDelegation,
    tokens: 0n,
    shares: "0",
    power: 0n,
    jailed: false,
    tombstoned: false,
    jailedUntil: 0n,
    number: takeNumber(state),
  });
  debit(state, operator, amount, "the stake");
  adjustTotals(state, { balances: -amount });
  addStake(state, context, { delegator: operator, validator: operator }, amount);
  const validator = message.validatorAddress;
  context.events.emit(
    stakeChanged("create_validator", { validator, amount: `${amount}${getChain(state).denomination}` }),
  );
  return {};
}
