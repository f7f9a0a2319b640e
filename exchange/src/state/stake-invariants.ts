import {
  Delegation,
  Proposal,
  ProposalStatus,
  Redelegation,
  Unbonding,
  Validator,
  ValidatorRewards,
} from "@dcx/protocol";
import { tokensOfShares } from "./delegations";
import { all, type Invariant, indexProblems, sum, unequal } from "./invariant";
import { bytesKey, tables, textKey, uint64Key } from "./keys";
import { scale } from "./quantities";
import { getParameters } from "./records";
import { rewardsNow, rewardsOf } from "./rewards";
import type { KeyValueReader } from "./store";
import { getTotals } from "./totals";
import { activeOperators, candidateKey, getStaking, powerOf } from "./validators";

export function stakedTokens(store: KeyValueReader): bigint {
  return sum(all(store, tables.validator, Validator).map(({ tokens }) => tokens));
}

export function unbondingTokens(store: KeyValueReader): bigint {
  return sum(all(store, tables.unbonding, Unbonding).map(({ balance }) => balance));
}

export function unpaidRewards(store: KeyValueReader): bigint {
  return sum(all(store, tables.validatorRewards, ValidatorRewards).map(({ outstanding }) => outstanding));
}

export function proposalDeposits(store: KeyValueReader): bigint {
  const voting = all(store, tables.proposal, Proposal).filter(({ status }) => status === ProposalStatus.VOTING);
  return sum(voting.map(({ deposit }) => deposit));
}

/** A validator's shares are those of its delegations, at least as many as tokens, and without them there are none. */
function stakeIsShared(store: KeyValueReader): string[] {
  const shares = new Map<string, bigint>();
  for (const delegation of all(store, tables.delegation, Delegation)) {
    if (BigInt(delegation.shares) <= 0n) return [`a delegation of ${delegation.delegator} is empty`];
    shares.set(delegation.validator, (shares.get(delegation.validator) ?? 0n) + BigInt(delegation.shares));
  }
  const problems: string[] = [];
  for (const validator of all(store, tables.validator, Validator)) {
    const { operator, tokens } = validator;
    const own = shares.get(operator) ?? 0n;
    problems.push(...unequal(`shares of ${operator}`, own, BigInt(validator.shares)));
    if (tokens > own) problems.push(`${operator}: ${tokens} tokens, more than its ${own} shares`);
    if (tokensOfShares(validator, own) !== (own === 0n ? 0n : tokens)) problems.push(`${operator}: tokens are lost`);
    shares.delete(operator);
  }
  if (shares.size > 0) problems.push(`${shares.size} delegations are with validators that are gone`);
  return problems;
}

/**
 * The set is those candidates with most stake, with the power of that stake. Where nobody can be elected it is the last
 * that could be.
 */
function powerFollowsStake(store: KeyValueReader): string[] {
  const parameters = getParameters(store);
  const records = [...all(store, tables.validator, Validator)];
  const elected = records
    .filter(({ jailed, tokens }) => !jailed && powerOf(parameters, tokens) > 0n)
    .sort((left, right) => Number(right.tokens - left.tokens) || Number(left.number - right.number))
    .slice(0, parameters.maxValidators);
  const staking = getStaking(store);
  const inSet = records.filter(({ power }) => power > 0n);
  const problems = unequal("total power", sum(inSet.map(({ power }) => power)), staking.totalPower);
  const names = inSet.map(({ operator }) => operator).sort();
  if (names.join() !== [...activeOperators(store)].join()) problems.push("the index of the set is not its records'");
  if (staking.electionDue) problems.push("an election is due that was not held");
  if (elected.length === 0) return problems;
  for (const record of records) {
    const power = elected.includes(record) ? powerOf(parameters, record.tokens) : 0n;
    problems.push(...unequal(`power of ${record.operator}`, power, record.power));
  }
  return problems;
}

/** Nobody has earned more than there is to pay it from. */
function rewardsAreFunded(store: KeyValueReader): string[] {
  const problems: string[] = [];
  let earned = 0n;
  const due = new Map<string, bigint>();
  const rewards = new Map<string, ReturnType<typeof rewardsNow>>();
  for (const validator of all(store, tables.validator, Validator)) {
    const now = rewardsNow(store, validator);
    rewards.set(validator.operator, now);
    earned += now.earned;
    due.set(validator.operator, now.commission);
  }
  for (const delegation of all(store, tables.delegation, Delegation)) {
    const now = rewards.get(delegation.validator);
    if (now === undefined) continue;
    due.set(delegation.validator, (due.get(delegation.validator) ?? 0n) + rewardsOf(delegation, now));
  }
  for (const [operator, amount] of due) {
    const outstanding = rewards.get(operator)?.outstanding ?? 0n;
    if (amount > outstanding) problems.push(`${operator}: ${amount} are due, ${outstanding} are there`);
  }
  const { feePool } = getTotals(store);
  if (earned > feePool) problems.push(`${earned} of fees are due, the pool has ${feePool}`);
  return problems;
}

/** No amount is below 0, and no unbonding has more than it began with. */
function stakeIsPositive(store: KeyValueReader): string[] {
  const totals = getTotals(store);
  const amounts = [totals.staked, totals.unbonding, totals.rewards, totals.burnt, totals.feePool, totals.balances];
  const problems = amounts.some((amount) => amount < 0n || amount >= scale * 10n) ? ["a sum is out of range"] : [];
  for (const { balance, initial, delegator } of all(store, tables.unbonding, Unbonding))
    if (balance > initial) problems.push(`an unbonding of ${delegator} has grown`);
  return problems;
}

/** Every index of stake holds exactly what the records say. */
function stakeIndicesAreExact(store: KeyValueReader): string[] {
  const expected: Readonly<Record<string, Iterable<string>>> = {
    [tables.candidate]: all(store, tables.validator, Validator).flatMap((one) => {
      const key = candidateKey(one);
      return key === undefined ? [] : [key];
    }),
    [tables.validatorDelegation]: all(store, tables.delegation, Delegation).map(
      ({ delegator, validator }) => tables.validatorDelegation + textKey(validator) + textKey(delegator),
    ),
    [tables.delegatorUnbonding]: all(store, tables.unbonding, Unbonding).map(
      ({ delegator, validator, id }) =>
        tables.delegatorUnbonding + textKey(delegator) + textKey(validator) + uint64Key(id),
    ),
    [tables.redelegationTo]: all(store, tables.redelegation, Redelegation).map(
      ({ delegator, destination, id }) =>
        tables.redelegationTo + textKey(delegator) + textKey(destination) + uint64Key(id),
    ),
  };
  const problems = Object.entries(expected).flatMap(([table, keys]) => indexProblems(store, table, keys));
  const keys = [...store.range(tables.validatorKey, `${tables.validatorKey}\xff`)];
  const operators = [...all(store, tables.validator, Validator)].map(({ operator }) => operator);
  if (
    keys
      .map(([, operator]) => bytesKey(operator))
      .sort()
      .join() !== operators.sort().join()
  )
    problems.push("the index of consensus keys differs from the records");
  return problems;
}

export const stakeInvariants: Readonly<Record<string, Invariant>> = {
  stakeIsShared,
  powerFollowsStake,
  rewardsAreFunded,
  stakeIsPositive,
  stakeIndicesAreExact,
};
