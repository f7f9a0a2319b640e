import type {
  MsgWithdrawDelegatorReward,
  MsgWithdrawDelegatorRewardResponse,
} from "cosmjs-types/cosmos/distribution/v1beta1/tx";
import type { TransactionContext } from "../context";
import { delegations, findDelegation } from "../delegations";
import { accountOfOperator } from "../operators";
import { getChain } from "../records";
import { payRewards } from "../rewards";
import type { KeyValueStore } from "../store";
import { checkAddress } from "../validation";

/**
 * Pays out what a delegation has earned: the distribution module's message.
 *
 * @throws ExchangeError InvalidAddress, DelegationNotFound
 *
 * PERF: O(1).
 */
export function withdrawDelegatorReward(
  state: KeyValueStore,
  context: TransactionContext,
  message: MsgWithdrawDelegatorReward,
): MsgWithdrawDelegatorRewardResponse {
  checkAddress(state, message.delegatorAddress, "delegator_address");
  const validator = accountOfOperator(message.validatorAddress, "validator_address");
  const id = { delegator: message.delegatorAddress, validator };
  const { delegation, amount } = payRewards(state, context, findDelegation(state, id));
  delegations.put(state, id, delegation);
  return { amount: amount === 0n ? [] : [{ denom: getChain(state).denomination, amount: amount.toString() }] };
}
