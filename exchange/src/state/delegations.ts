import { Delegation, ExchangeErrorCode, type Validator } from "@dcx/protocol";
import type { TransitionContext } from "./context";
import { ExchangeError } from "./errors";
import { jail } from "./jail";
import { tables, textKey } from "./keys";
import { operatorAddressOf } from "./operators";
import { Table } from "./records";
import { countRewards, payCommission, payRewards } from "./rewards";
import type { KeyValueReader, KeyValueStore } from "./store";
import { rewriteValidator, validators } from "./validators";

export interface DelegationId {
  readonly delegator: string;
  /** The account that runs the validator. */
  readonly validator: string;
}

export const delegations = new Table<DelegationId, Delegation>(
  tables.delegation,
  ({ delegator, validator }) => textKey(delegator) + textKey(validator),
  Delegation,
);

const mark = Uint8Array.of(1);

function byValidatorKey({ delegator, validator }: DelegationId): string {
  return tables.validatorDelegation + textKey(validator) + textKey(delegator);
}

/** @throws ExchangeError DelegationNotFound */
export function findDelegation(store: KeyValueReader, id: DelegationId): Delegation {
  const delegation = delegations.get(store, id);
  if (delegation === undefined)
    throw new ExchangeError(
      ExchangeErrorCode.DelegationNotFound,
      `${id.delegator} has no stake with ${operatorAddressOf(id.validator)}`,
    );
  return delegation;
}

/** What shares of a validator are worth: rounded down, to the good of those that stay. */
export function tokensOfShares({ tokens, shares }: Validator, part: bigint): bigint {
  const all = BigInt(shares);
  return all === 0n ? 0n : (part * tokens) / all;
}

/** What a delegation is worth, in micro-units. */
export function worthOf(store: KeyValueReader, { validator, shares }: Delegation): bigint {
  return tokensOfShares(validators.need(store, validator), BigInt(shares));
}

/**
 * Stakes tokens, which are nobody's at the moment, for a delegator. What it has earned so far is paid out.
 * @throws ExchangeError TermsNotMet where all that was staked with the validator has been slashed: a share of nothing
 */
export function addStake(store: KeyValueStore, context: TransitionContext, id: DelegationId, amount: bigint): void {
  const before = validators.need(store, id.validator);
  const all = BigInt(before.shares);
  if (before.tokens === 0n && all > 0n)
    throw new ExchangeError(
      ExchangeErrorCode.TermsNotMet,
      `all stake with ${operatorAddressOf(id.validator)} was slashed: choose another validator`,
    );
  const { perShare } = countRewards(store, id.validator);
  const old = delegations.get(store, id);
  const delegation =
    old === undefined ? { ...id, shares: "0", rewardsFrom: perShare } : payRewards(store, context, old).delegation;
  // Tokens are never more than shares, so this is never less than the amount.
  const added = all === 0n ? amount : (amount * all) / before.tokens;
  delegations.put(store, id, { ...delegation, shares: (BigInt(delegation.shares) + added).toString() });
  if (old === undefined) store.set(byValidatorKey(id), mark);
  const shares = (all + added).toString();
  rewriteValidator(store, before, { ...before, shares, tokens: before.tokens + amount });
}

/**
 * Takes stake back, and pays out what it has earned. An operator whose own stake is less than it promised is jailed.
 * @param amount at most what the delegation is worth
 * @returns the tokens, which are nobody's until the caller has said whose
 */
export function removeStake(
  store: KeyValueStore,
  context: TransitionContext,
  delegation: Delegation,
  amount: bigint,
): bigint {
  const id = { delegator: delegation.delegator, validator: delegation.validator };
  const paid = payRewards(store, context, delegation).delegation;
  const before = validators.need(store, id.validator);
  const all = BigInt(before.shares);
  const own = BigInt(delegation.shares);
  const whole = amount >= tokensOfShares(before, own);
  const taken = whole ? own : (amount * all + before.tokens - 1n) / before.tokens;
  const tokens = tokensOfShares(before, taken);
  if (whole) {
    delegations.delete(store, id);
    store.delete(byValidatorKey(id));
  } else delegations.put(store, id, { ...paid, shares: (own - taken).toString() });
  const after = { ...before, shares: (all - taken).toString(), tokens: before.tokens - tokens };
  rewriteValidator(store, before, after);
  // With the last share gone the commission would be nobody's.
  if (after.shares === "0") payCommission(store, context, id.validator);
  if (id.delegator === id.validator && !after.jailed && selfStake(store, after) < after.minSelfDelegation)
    jail(store, context, id.validator, "self_delegation");
  return tokens;
}

/** What the operator has staked with its own validator. */
export function selfStake(store: KeyValueReader, validator: Validator): bigint {
  const own = delegations.get(store, { delegator: validator.operator, validator: validator.operator });
  return own === undefined ? 0n : tokensOfShares(validator, BigInt(own.shares));
}
