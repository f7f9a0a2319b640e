import type { TransitionContext } from "./context";
import { delegations, removeStake, worthOf } from "./delegations";
import { stakeChanged } from "./events";
import { type JailReason, jail } from "./jail";
import { operatorAddressOf } from "./operators";
import { lesser } from "./quantities";
import { getChain, getParameters } from "./records";
import type { KeyValueStore } from "./store";
import { adjustTotals } from "./totals";
import { entriesSince, redelegations, unbondings } from "./unbondings";
import { operatorByConsensusAddress, rewriteValidator, validators } from "./validators";

/** A validator signed two blocks of one height, or lied to a light client, as the engine has evidence of. */
export interface Misbehavior {
  /** What the engine calls the validator. */
  readonly address: Uint8Array;
  /** Of the validator then. */
  readonly power: bigint;
  readonly height: bigint;
}

/** Blocks after which stake that is taken back votes no more: until then it still answers for what is signed. */
const effectDelay = 2n;

/** Slashes a validator that signed twice, and bars it for ever. Of one that is barred already nothing more is taken. */
export function punishMisbehavior(store: KeyValueStore, context: TransitionContext, fault: Misbehavior): void {
  const operator = operatorByConsensusAddress(store, fault.address);
  const validator = operator === undefined ? undefined : validators.get(store, operator);
  if (operator === undefined || validator === undefined || validator.tombstoned) return;
  const { doubleSignSlash } = getParameters(store);
  slash(store, context, operator, { ...fault, millionths: doubleSignSlash, reason: "double_sign" });
  const now = validators.need(store, operator);
  rewriteValidator(store, now, { ...now, tombstoned: true });
  jail(store, context, operator, "double_sign");
}

/**
 * Burns a part of what gave a validator its power at a height: of stake that has been taken back or moved since, of
 * each its part; the rest of what is due, of what is with the validator now.
 *
 * PERF: O(unbondings and redelegations from it since then).
 */
export function slash(
  store: KeyValueStore,
  context: TransitionContext,
  operator: string,
  fault: {
    readonly height: bigint;
    readonly power: bigint;
    readonly millionths: number;
    readonly reason: JailReason;
  },
): void {
  const { powerReduction } = getParameters(store);
  const part = (amount: bigint): bigint => (amount * BigInt(fault.millionths)) / 1_000_000n;
  const since = fault.height - effectDelay;
  let burnt = 0n;
  for (const entry of [...entriesSince(store, unbondings, operator, since)])
    burnt += burnUnbonding(store, entry.validator, entry.id, part(entry.initial));
  for (const { delegator, destination, initial, height } of [...entriesSince(store, redelegations, operator, since)])
    burnt += burnMoved(store, context, { delegator, destination, height }, part(initial));
  const validator = validators.need(store, operator);
  const due = part(fault.power * powerReduction) - burnt;
  const own = due < 0n ? 0n : lesser(due, validator.tokens);
  if (own > 0n) {
    rewriteValidator(store, validator, { ...validator, tokens: validator.tokens - own });
    adjustTotals(store, { burnt: own });
  }
  context.events.emit(
    stakeChanged("slash", {
      validator: operatorAddressOf(operator),
      power: fault.power.toString(),
      reason: fault.reason,
      burned_coins: `${burnt + own}${getChain(store).denomination}`,
    }),
  );
}

function burnUnbonding(store: KeyValueStore, validator: string, id: bigint, amount: bigint): bigint {
  const entry = unbondings.need(store, { validator, id });
  const burnt = lesser(amount, entry.balance);
  if (burnt === 0n) return 0n;
  unbondings.put(store, { validator, id }, { ...entry, balance: entry.balance - burnt });
  adjustTotals(store, { unbonding: -burnt, burnt });
  return burnt;
}

/** Of stake that moved on: of the delegation where it is now, then of what was taken back from there. */
function burnMoved(
  store: KeyValueStore,
  context: TransitionContext,
  moved: { readonly delegator: string; readonly destination: string; readonly height: bigint },
  amount: bigint,
): bigint {
  const { delegator, destination, height } = moved;
  let left = amount;
  const delegation = delegations.get(store, { delegator, validator: destination });
  if (delegation !== undefined) {
    const taken = lesser(left, worthOf(store, delegation));
    if (taken > 0n) {
      const tokens = removeStake(store, context, delegation, taken);
      adjustTotals(store, { burnt: tokens });
      left -= tokens;
    }
  }
  for (const entry of [...entriesSince(store, unbondings, destination, height)])
    if (entry.delegator === delegator && left > 0n) left -= burnUnbonding(store, destination, entry.id, left);
  return amount - left;
}
