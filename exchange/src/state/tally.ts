import { Delegation, Tally, type Vote, VoteOption } from "@dcx/protocol";
import { tokensOfShares } from "./delegations";
import { prefixEnd, tables, textKey } from "./keys";
import type { KeyValueReader } from "./store";
import { activeOperators, validators } from "./validators";

/** All stake with validators of the set: what a quorum is a part of. PERF: O(validators in the set). */
export function bondedStake(store: KeyValueReader): bigint {
  let bonded = 0n;
  for (const operator of activeOperators(store)) bonded += validators.need(store, operator).tokens;
  return bonded;
}

/**
 * The stake behind each option, of all that is with validators of the set: each delegator's by its own vote, and where
 * it has none by that of its validator's operator.
 *
 * PERF: O(votes and the delegations of those who voted, and the validator set).
 */
export function tallyOf(store: KeyValueReader, votes: readonly Vote[]): Tally {
  const tally = Tally.fromPartial({});
  const options = new Map(votes.map(({ voter, option }) => [voter, option]));
  /** Shares of each validator of the set whose owners have not voted themselves. */
  const left = new Map<string, bigint>();
  for (const operator of activeOperators(store)) left.set(operator, BigInt(validators.need(store, operator).shares));
  for (const [voter, option] of options)
    for (const { validator, shares } of delegationsOf(store, voter)) {
      const remaining = left.get(validator);
      if (remaining === undefined) continue;
      left.set(validator, remaining - BigInt(shares));
      add(tally, option, tokensOfShares(validators.need(store, validator), BigInt(shares)));
    }
  for (const [operator, shares] of left) {
    const option = options.get(operator);
    if (option !== undefined) add(tally, option, tokensOfShares(validators.need(store, operator), shares));
  }
  return tally;
}

/** What an account has staked, with whomever. */
function delegationsOf(store: KeyValueReader, delegator: string): Delegation[] {
  const prefix = tables.delegation + textKey(delegator);
  return [...store.range(prefix, prefixEnd(prefix))].map(([, bytes]) => Delegation.decode(bytes));
}

function add(tally: Tally, option: VoteOption, tokens: bigint): void {
  switch (option) {
    case VoteOption.YES:
      tally.yes += tokens;
      break;
    case VoteOption.ABSTAIN:
      tally.abstain += tokens;
      break;
    case VoteOption.NO:
      tally.no += tokens;
      break;
    case VoteOption.NO_WITH_VETO:
      tally.veto += tokens;
      break;
    default:
      throw new Error(`corrupt state: a vote for option ${option}`);
  }
}
