import { ExchangeErrorCode, Redelegation, TimerKind, Unbonding } from "@dcx/protocol";
import { credit } from "./accounts";
import type { TransitionContext } from "./context";
import type { DelegationId } from "./delegations";
import { ExchangeError } from "./errors";
import { stakeChanged } from "./events";
import { prefixEnd, tables, textKey, uint64Key } from "./keys";
import { operatorAddressOf } from "./operators";
import { getChain, Table } from "./records";
import type { KeyValueReader, KeyValueStore } from "./store";
import { numberedTimer, setTimer, type Timer } from "./timers";
import { adjustTotals } from "./totals";
import { removeValidator, stakingParameters, takeNumber, validators } from "./validators";

interface EntryId {
  /** The validator from which the stake came. */
  readonly validator: string;
  readonly id: bigint;
}

const entryKey = ({ validator, id }: EntryId): string => textKey(validator) + uint64Key(id);

export const unbondings = new Table<EntryId, Unbonding>(tables.unbonding, entryKey, Unbonding);
export const redelegations = new Table<EntryId, Redelegation>(tables.redelegation, entryKey, Redelegation);

const mark = Uint8Array.of(1);

function unbondingsOfKey(delegator: string, validator: string): string {
  return tables.delegatorUnbonding + textKey(delegator) + textKey(validator);
}

function redelegationsToKey(delegator: string, destination: string): string {
  return tables.redelegationTo + textKey(delegator) + textKey(destination);
}

function count(store: KeyValueReader, prefix: string, limit: number): number {
  return [...store.range(prefix, prefixEnd(prefix), { limit })].length;
}

/** @throws ExchangeError LimitExceeded: each entry is something that a slash has to look at */
function requireRoom(store: KeyValueReader, prefix: string, most: number, what: string): void {
  if (count(store, prefix, most) >= most)
    throw new ExchangeError(
      ExchangeErrorCode.LimitExceeded,
      `${what}: ${most} at a time; wait until one of them is over`,
    );
}

/** Locks tokens, which are nobody's at the moment, until the unbonding period is over. @throws LimitExceeded */
export function startUnbonding(
  store: KeyValueStore,
  context: TransitionContext,
  { delegator, validator }: DelegationId,
  amount: bigint,
): Unbonding {
  const { unbondingPeriod, maxUnbondings } = stakingParameters(store);
  const index = unbondingsOfKey(delegator, validator);
  requireRoom(store, index, maxUnbondings, `unbondings of ${delegator} from ${operatorAddressOf(validator)}`);
  const id = takeNumber(store);
  const endHeight = context.height + unbondingPeriod;
  const entry = { id, delegator, validator, initial: amount, balance: amount, height: context.height, endHeight };
  unbondings.put(store, { validator, id }, entry);
  store.set(index + uint64Key(id), mark);
  adjustTotals(store, { unbonding: amount });
  setTimer(store, endHeight, numberedTimer(TimerKind.UNBONDING_END, validator, id));
  return entry;
}

/** The tokens, less what was slashed, are the delegator's again. */
export function endUnbonding(store: KeyValueStore, context: TransitionContext, { subject }: Timer): void {
  const entry = unbondings.need(store, { validator: subject.tenant, id: subject.sequence });
  const { delegator, validator, balance, id } = entry;
  unbondings.delete(store, { validator, id });
  store.delete(unbondingsOfKey(delegator, validator) + uint64Key(id));
  credit(store, delegator, balance);
  adjustTotals(store, { unbonding: -balance, balances: balance });
  context.events.emit(
    stakeChanged("complete_unbonding", {
      amount: `${balance}${getChain(store).denomination}`,
      validator: operatorAddressOf(validator),
      delegator,
    }),
  );
  removeIfLeft(store, validator);
}

/** Notes that stake moved, so that it is slashed for what its source did before. @throws LimitExceeded */
export function startRedelegation(
  store: KeyValueStore,
  context: TransitionContext,
  delegator: string,
  { source, destination, amount }: { readonly source: string; readonly destination: string; readonly amount: bigint },
): Redelegation {
  const { unbondingPeriod, maxUnbondings } = stakingParameters(store);
  const index = redelegationsToKey(delegator, destination);
  requireRoom(store, index, maxUnbondings, `redelegations of ${delegator} to ${operatorAddressOf(destination)}`);
  const id = takeNumber(store);
  const endHeight = context.height + unbondingPeriod;
  const entry = { id, delegator, source, destination, initial: amount, height: context.height, endHeight };
  redelegations.put(store, { validator: source, id }, entry);
  store.set(index + uint64Key(id), mark);
  setTimer(store, endHeight, numberedTimer(TimerKind.REDELEGATION_END, source, id));
  return entry;
}

export function endRedelegation(store: KeyValueStore, context: TransitionContext, { subject }: Timer): void {
  const entry = redelegations.need(store, { validator: subject.tenant, id: subject.sequence });
  const { delegator, source, destination, id } = entry;
  redelegations.delete(store, { validator: source, id });
  store.delete(redelegationsToKey(delegator, destination) + uint64Key(id));
  context.events.emit(
    stakeChanged("complete_redelegation", {
      delegator,
      source_validator: operatorAddressOf(source),
      destination_validator: operatorAddressOf(destination),
    }),
  );
  removeIfLeft(store, source);
}

/** Whether stake of that delegator came to the validator from another one, which may still prove to be at fault. */
export function hasRedelegationTo(store: KeyValueReader, { delegator, validator }: DelegationId): boolean {
  return count(store, redelegationsToKey(delegator, validator), 1) > 0;
}

/** Entries of a validator that began at that height or later, the newest first. PERF: O(of them). */
export function* entriesSince<Entry extends { readonly height: bigint }>(
  store: KeyValueReader,
  table: Table<EntryId, Entry>,
  validator: string,
  height: bigint,
): Generator<Entry> {
  const prefix = table.prefix + textKey(validator);
  for (const [, bytes] of store.range(prefix, prefixEnd(prefix), { reverse: true })) {
    const entry = table.codec.decode(bytes);
    // Ids are given in the order of heights.
    if (entry.height < height) return;
    yield entry;
  }
}

/**
 * Forgets a validator without stake that is not in the set, once nothing is left that its faults could be charged to.
 * One that signed twice is kept: its key must not come back.
 */
export function removeIfLeft(store: KeyValueStore, operator: string): void {
  const validator = validators.get(store, operator);
  if (validator === undefined || validator.shares !== "0" || validator.power !== 0n || validator.tombstoned) return;
  for (const table of [tables.unbonding, tables.redelegation])
    if (count(store, table + textKey(operator), 1) > 0) return;
  removeValidator(store, validator);
}
