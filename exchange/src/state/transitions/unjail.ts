import { ExchangeErrorCode } from "@dcx/protocol";
import type { MsgUnjail, MsgUnjailResponse } from "cosmjs-types/cosmos/slashing/v1beta1/tx";
import type { TransactionContext } from "../context";
import { selfStake } from "../delegations";
import { ExchangeError } from "../errors";
import { stakeChanged } from "../events";
import { accountOfOperator } from "../operators";
import type { KeyValueStore } from "../store";
import { findValidator, rewriteValidator, stakingParameters } from "../validators";

/**
 * Takes a validator out of jail, so that it can be elected again: the slashing module's message.
 *
 * @throws ExchangeError NotOffered, InvalidAddress, ValidatorNotFound, NotReleased
 *
 * PERF: O(1).
 */
export function unjail(state: KeyValueStore, context: TransactionContext, message: MsgUnjail): MsgUnjailResponse {
  stakingParameters(state);
  const validator = findValidator(state, accountOfOperator(message.validatorAddr, "validator_addr"));
  const refuse = (why: string): ExchangeError =>
    new ExchangeError(ExchangeErrorCode.NotReleased, `${message.validatorAddr} ${why}`);
  if (!validator.jailed) throw refuse("is not jailed");
  if (validator.tombstoned)
    throw refuse("signed twice: it never validates again; bond another key from another account");
  if (context.height < validator.jailedUntil) throw refuse(`stays in jail until height ${validator.jailedUntil}`);
  const own = selfStake(state, validator);
  if (own < validator.minSelfDelegation)
    throw refuse(
      `has ${own} micro-units of its operator's own, it promised ${validator.minSelfDelegation}: stake more`,
    );
  rewriteValidator(state, validator, { ...validator, jailed: false });
  context.events.emit(stakeChanged("unjail", { validator: message.validatorAddr }));
  return {};
}
