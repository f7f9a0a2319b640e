import { prefixEnd } from "./keys";
import type { KeyValueReader } from "./store";

/**
 * What holds after every block (design: "Invariants"), each computed from scratch. An invariant gives a sentence for
 * each place where it does not hold. PERF: O(state) time, a record at a time in memory: for tests and for operators who want
 * to know, never in a block.
 */
export type Invariant = (store: KeyValueReader) => string[];

export function* all<Value>(
  store: KeyValueReader,
  prefix: string,
  codec: { decode(bytes: Uint8Array): Value },
): Generator<Value> {
  for (const [, value] of store.range(prefix, prefixEnd(prefix))) yield codec.decode(value);
}

export function count(things: Iterable<unknown>): number {
  let found = 0;
  for (const _thing of things) found += 1;
  return found;
}

export function sum(amounts: Iterable<bigint>): bigint {
  let total = 0n;
  for (const amount of amounts) total += amount;
  return total;
}

/** Whether an index holds the expected keys, each of which comes once, and no others. */
export function indexProblems(store: KeyValueReader, table: string, expected: Iterable<string>): string[] {
  let wanted = 0;
  let missing = 0;
  for (const key of expected) {
    wanted += 1;
    if (store.get(key) === undefined) missing += 1;
  }
  const there = count(store.range(table, prefixEnd(table)));
  if (missing === 0 && there === wanted) return [];
  return [`index ${table}: ${there} entries, ${wanted} by the records, of which ${missing} are missing`];
}

export function unequal(what: string, counted: bigint | number, kept: bigint | number): string[] {
  return BigInt(counted) === BigInt(kept) ? [] : [`${what}: ${counted} by the records, ${kept} kept`];
}
