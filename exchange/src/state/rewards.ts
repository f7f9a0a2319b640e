import type { Delegation, Validator, ValidatorRewards } from "@dcx/protocol";
import { credit } from "./accounts";
import type { TransitionContext } from "./context";
import { stakeChanged } from "./events";
import { operatorAddressOf } from "./operators";
import { scale } from "./quantities";
import { getChain } from "./records";
import type { KeyValueReader, KeyValueStore } from "./store";
import { adjustTotals } from "./totals";
import { changeStaking, getStaking, validatorRewards, validators } from "./validators";

/*
 * Fees by stake, lazily, as the Cosmos SDK's F1 distribution has it. Two sums only grow: fees for one unit of power
 * (one for the chain, written once a block), and fees for one share (one a validator, written when its power or its
 * delegations change or somebody withdraws). What somebody has earned is how far a sum has grown since it was last
 * counted for them. Slashing lowers what a share is worth but not how many there are, so it touches neither. All
 * divisions round down: what remains stays in the fee pool, or with the validator until it is gone.
 */

/** Shares a block's fees, which are in the fee pool, among the validators by power. PERF: O(1). */
export function shareFees(store: KeyValueStore, fees: bigint): void {
  const { feesPerPower, totalPower } = getStaking(store);
  if (fees === 0n || totalPower === 0n) return;
  changeStaking(store, { feesPerPower: (BigInt(feesPerPower) + (fees * scale) / totalPower).toString() });
}

/** What a validator has earned, with what was not counted yet. PERF: O(1). */
export function rewardsNow(
  store: KeyValueReader,
  validator: Validator,
): ValidatorRewards & { readonly earned: bigint } {
  const rewards = validatorRewards.need(store, validator.operator);
  const { feesPerPower } = getStaking(store);
  const shares = BigInt(validator.shares);
  const earned = (validator.power * (BigInt(feesPerPower) - BigInt(rewards.counted))) / scale;
  // Nobody is there to have it: it stays in the pool.
  if (shares === 0n || earned === 0n) return { ...rewards, counted: feesPerPower, earned: 0n };
  const commission = (earned * BigInt(validator.commission?.rate ?? "0")) / scale;
  return {
    counted: feesPerPower,
    perShare: (BigInt(rewards.perShare) + ((earned - commission) * scale) / shares).toString(),
    outstanding: rewards.outstanding + earned,
    commission: rewards.commission + commission,
    earned,
  };
}

/** Counts what a validator has earned: before its power, its shares or its commission change. */
export function countRewards(store: KeyValueStore, operator: string): ValidatorRewards {
  const { earned, ...rewards } = rewardsNow(store, validators.need(store, operator));
  if (earned > 0n) adjustTotals(store, { feePool: -earned, rewards: earned });
  validatorRewards.put(store, operator, rewards);
  return rewards;
}

/** What a delegation can withdraw. */
export function rewardsOf(delegation: Delegation, rewards: ValidatorRewards): bigint {
  return (BigInt(delegation.shares) * (BigInt(rewards.perShare) - BigInt(delegation.rewardsFrom))) / scale;
}

/**
 * Pays out what a delegation has earned.
 * @returns the delegation as it is then, not yet written, and what was paid
 */
export function payRewards(
  store: KeyValueStore,
  context: TransitionContext,
  delegation: Delegation,
): { readonly delegation: Delegation; readonly amount: bigint } {
  const { delegator, validator } = delegation;
  const rewards = countRewards(store, validator);
  const amount = rewardsOf(delegation, rewards);
  if (amount > 0n) {
    validatorRewards.put(store, validator, { ...rewards, outstanding: rewards.outstanding - amount });
    payFromRewards(store, delegator, amount);
    const { denomination } = getChain(store);
    context.events.emit(
      stakeChanged("withdraw_rewards", {
        amount: `${amount}${denomination}`,
        validator: operatorAddressOf(validator),
        delegator,
      }),
    );
  }
  return { delegation: { ...delegation, rewardsFrom: rewards.perShare }, amount };
}

/** Pays out a validator's commission; what was paid. */
export function payCommission(store: KeyValueStore, context: TransitionContext, operator: string): bigint {
  const rewards = countRewards(store, operator);
  const amount = rewards.commission;
  if (amount === 0n) return 0n;
  validatorRewards.put(store, operator, { ...rewards, commission: 0n, outstanding: rewards.outstanding - amount });
  payFromRewards(store, operator, amount);
  const { denomination } = getChain(store);
  context.events.emit(stakeChanged("withdraw_commission", { amount: `${amount}${denomination}` }));
  return amount;
}

function payFromRewards(store: KeyValueStore, address: string, amount: bigint): void {
  credit(store, address, amount);
  adjustTotals(store, { rewards: -amount, balances: amount });
}
