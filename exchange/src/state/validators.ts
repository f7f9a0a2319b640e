import {
  ExchangeErrorCode,
  type Parameters,
  SigningRecord,
  StakingRecord,
  Validator,
  ValidatorRewards,
} from "@dcx/protocol";
import { consensusAddressOf } from "../consensus-key";
import { ExchangeError } from "./errors";
import { bytesKey, keyBytes, prefixEnd, tables, textKey, uint64Key } from "./keys";
import { operatorAddressOf } from "./operators";
import { getParameters, Table } from "./records";
import type { KeyValueReader, KeyValueStore } from "./store";
import { adjustTotals } from "./totals";

const stakingTable = new Table<void, StakingRecord>(tables.staking, () => "", StakingRecord);
export const validators = new Table<string, Validator>(tables.validator, textKey, Validator);
export const validatorRewards = new Table<string, ValidatorRewards>(tables.validatorRewards, textKey, ValidatorRewards);
export const signingRecords = new Table<string, SigningRecord>(tables.signing, textKey, SigningRecord);

/** What the engine is told of a validator. Power 0: it is in the set no more. */
export interface ValidatorUpdate {
  /** ed25519, 32 bytes. */
  readonly consensusKey: Uint8Array;
  readonly power: bigint;
}

const lastNumber = 2n ** 64n - 1n;

/** What is known of all validators together; a chain that an older version began has no record of it yet. */
export function getStaking(store: KeyValueReader): StakingRecord {
  return (
    stakingTable.get(store, undefined) ?? { feesPerPower: "0", totalPower: 0n, nextNumber: 1n, electionDue: false }
  );
}

export function changeStaking(store: KeyValueStore, change: Partial<StakingRecord>): void {
  stakingTable.put(store, undefined, { ...getStaking(store), ...change });
}

/** A number that nothing of staking has had. */
export function takeNumber(store: KeyValueStore): bigint {
  const { nextNumber } = getStaking(store);
  changeStaking(store, { nextNumber: nextNumber + 1n });
  return nextNumber;
}

/** @throws ExchangeError NotOffered where stake elects nobody */
export function stakingParameters(store: KeyValueReader): Parameters {
  const parameters = getParameters(store);
  if (parameters.maxValidators === 0)
    throw new ExchangeError(
      ExchangeErrorCode.NotOffered,
      "this exchange elects no validators: its parameter maxValidators is 0",
    );
  return parameters;
}

/** @throws ExchangeError ValidatorNotFound */
export function findValidator(store: KeyValueReader, operator: string): Validator {
  const validator = validators.get(store, operator);
  if (validator === undefined)
    throw new ExchangeError(
      ExchangeErrorCode.ValidatorNotFound,
      `no validator ${operatorAddressOf(operator)}: ${operator} does not run one`,
    );
  return validator;
}

/** The operator of the validator that the engine calls by this address, or had this key at some time. PERF: one read. */
export function operatorByConsensusAddress(store: KeyValueReader, address: Uint8Array): string | undefined {
  const bytes = store.get(tables.validatorKey + bytesKey(address));
  return bytes === undefined ? undefined : bytesKey(bytes);
}

/** Power that stake gives. */
export function powerOf(parameters: Parameters, tokens: bigint): bigint {
  return parameters.powerReduction === 0n ? 0n : tokens / parameters.powerReduction;
}

/** Where a validator stands among those that may be elected; undefined: it may not. */
export function candidateKey({ jailed, tokens, number }: Validator): string | undefined {
  if (jailed || tokens === 0n) return undefined;
  return tables.candidate + uint64Key(tokens) + uint64Key(lastNumber - number);
}

/** Operators of the validator set, by address. */
export function* activeOperators(store: KeyValueReader): Generator<string> {
  const prefix = tables.activeValidator;
  for (const [key] of store.range(prefix, prefixEnd(prefix))) yield key.slice(prefix.length, -1);
}

/** The validator set with the power that the engine was told of last. PERF: O(validators in the set). */
export function validatorSet(store: KeyValueReader): ValidatorUpdate[] {
  return [...activeOperators(store)].map((operator) => {
    const { consensusKey, power } = validators.need(store, operator);
    return { consensusKey, power };
  });
}

export function enterValidator(store: KeyValueStore, validator: Validator): void {
  store.set(tables.validatorKey + bytesKey(consensusAddressOf(validator.consensusKey)), keyBytes(validator.operator));
  const { feesPerPower } = getStaking(store);
  validatorRewards.put(store, validator.operator, {
    counted: feesPerPower,
    perShare: "0",
    outstanding: 0n,
    commission: 0n,
  });
  replace(store, undefined, validator);
}

/**
 * Writes a validator anew, and what depends on its stake: the sum of all stake, its place among the candidates, and
 * whether there is an election at the end of the block. PERF: O(1).
 */
export function rewriteValidator(store: KeyValueStore, before: Validator, after: Validator): void {
  replace(store, before, after);
}

/** A validator that is gone: what it has left of fees, which is dust, goes back to the fee pool. */
export function removeValidator(store: KeyValueStore, validator: Validator): void {
  const { operator, consensusKey } = validator;
  const outstanding = validatorRewards.need(store, operator).outstanding;
  if (outstanding > 0n) adjustTotals(store, { rewards: -outstanding, feePool: outstanding });
  validatorRewards.delete(store, operator);
  signingRecords.delete(store, operator);
  store.delete(tables.validatorKey + bytesKey(consensusAddressOf(consensusKey)));
  replace(store, validator, undefined);
}

function replace(store: KeyValueStore, before: Validator | undefined, after: Validator | undefined): void {
  const from = before === undefined ? undefined : candidateKey(before);
  const to = after === undefined ? undefined : candidateKey(after);
  if (from !== to) {
    if (from !== undefined) store.delete(from);
    if (to !== undefined && after !== undefined) store.set(to, keyBytes(after.operator));
    if (!getStaking(store).electionDue) changeStaking(store, { electionDue: true });
  }
  const staked = (after?.tokens ?? 0n) - (before?.tokens ?? 0n);
  if (staked !== 0n) adjustTotals(store, { staked });
  if (after !== undefined) validators.put(store, after.operator, after);
  else if (before !== undefined) validators.delete(store, before.operator);
}
