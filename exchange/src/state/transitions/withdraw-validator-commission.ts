import type {
  MsgWithdrawValidatorCommission,
  MsgWithdrawValidatorCommissionResponse,
} from "cosmjs-types/cosmos/distribution/v1beta1/tx";
import type { TransactionContext } from "../context";
import { accountOfOperator } from "../operators";
import { getChain } from "../records";
import { payCommission } from "../rewards";
import type { KeyValueStore } from "../store";
import { findValidator } from "../validators";

/**
 * Pays a validator's commission out to its operator: the distribution module's message.
 *
 * @throws ExchangeError InvalidAddress, ValidatorNotFound
 *
 * PERF: O(1).
 */
export function withdrawValidatorCommission(
  state: KeyValueStore,
  context: TransactionContext,
  message: MsgWithdrawValidatorCommission,
): MsgWithdrawValidatorCommissionResponse {
  const { operator } = findValidator(state, accountOfOperator(message.validatorAddress, "validator_address"));
  const amount = payCommission(state, context, operator);
  return { amount: amount === 0n ? [] : [{ denom: getChain(state).denomination, amount: amount.toString() }] };
}
