import type { TransitionContext } from "./context";
import { stakeChanged } from "./events";
import { operatorAddressOf } from "./operators";
import type { KeyValueStore } from "./store";
import { rewriteValidator, signingRecords, validators } from "./validators";

export type JailReason = "double_sign" | "absence" | "self_delegation";

/** Takes a validator out of the next elections, until its operator takes it out of jail, at the earliest at `until`. */
export function jail(
  store: KeyValueStore,
  context: TransitionContext,
  operator: string,
  reason: JailReason,
  until = context.height,
): void {
  const validator = validators.need(store, operator);
  const longer = until > validator.jailedUntil ? { jailedUntil: until } : {};
  rewriteValidator(store, validator, { ...validator, jailed: true, ...longer });
  signingRecords.delete(store, operator);
  context.events.emit(stakeChanged("jail", { validator: operatorAddressOf(operator), reason }));
}
