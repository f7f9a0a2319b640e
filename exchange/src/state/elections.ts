import { bytesKey, prefixEnd, tables, textKey } from "./keys";
import { getParameters } from "./records";
import { countRewards } from "./rewards";
import type { KeyValueReader, KeyValueStore } from "./store";
import { removeIfLeft } from "./unbondings";
import { activeOperators, changeStaking, getStaking, powerOf, type ValidatorUpdate, validators } from "./validators";

const mark = Uint8Array.of(1);

/** The candidates with most stake, as many as the set may have, with the power that it gives them. */
function electedPowers(store: KeyValueReader): Map<string, bigint> {
  const parameters = getParameters(store);
  const { maxValidators: limit } = parameters;
  const elected = new Map<string, bigint>();
  if (limit === 0) return elected;
  for (const [, operator] of store.range(tables.candidate, prefixEnd(tables.candidate), { reverse: true, limit })) {
    const { tokens } = validators.need(store, bytesKey(operator));
    const power = powerOf(parameters, tokens);
    if (power > 0n) elected.set(bytesKey(operator), power);
  }
  return elected;
}

/**
 * Elects the validator set anew where stake has changed since the last election, and says what is to change in the
 * engine's: only differences. Where nobody could be elected the set stays as it is: a chain without one halts for good.
 *
 * PERF: O(validators in the set) where stake has changed, else one read.
 */
export function electValidators(store: KeyValueStore): ValidatorUpdate[] {
  if (!getStaking(store).electionDue) return [];
  changeStaking(store, { electionDue: false });
  const elected = electedPowers(store);
  if (elected.size === 0) return [];
  const updates: ValidatorUpdate[] = [];
  for (const operator of [...new Set([...activeOperators(store), ...elected.keys()])].sort()) {
    const power = elected.get(operator) ?? 0n;
    const { power: before, consensusKey } = validators.need(store, operator);
    if (power === before) continue;
    changePower(store, operator, power);
    updates.push({ consensusKey, power });
  }
  return updates;
}

function changePower(store: KeyValueStore, operator: string, power: bigint): void {
  countRewards(store, operator);
  const validator = validators.need(store, operator);
  validators.put(store, operator, { ...validator, power });
  const { totalPower } = getStaking(store);
  changeStaking(store, { totalPower: totalPower + power - validator.power });
  const key = tables.activeValidator + textKey(operator);
  if (power === 0n) store.delete(key);
  else if (validator.power === 0n) store.set(key, mark);
  if (power === 0n) removeIfLeft(store, operator);
}
