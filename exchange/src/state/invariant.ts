import { prefixEnd } from "./keys";
import type { KeyValueReader } from "./store";

/**
 * What holds after every block (design: "Invariants"), each computed from scratch. An invariant gives a sentence for
 * each place where it does not hold. PERF: O(state): for tests and for operators who want to know, never in a block.
 */
export type Invariant = (store: KeyValueReader) => string[];

export function* all<Value>(
  store: KeyValueReader,
  prefix: string,
  codec: { decode(bytes: Uint8Array): Value },
): Generator<Value> {
  for (const [, value] of store.range(prefix, prefixEnd(prefix))) yield codec.decode(value);
}

export function keysOf(store: KeyValueReader, prefix: string): string[] {
  return [...store.range(prefix, prefixEnd(prefix))].map(([key]) => key);
}

export function sum(amounts: Iterable<bigint>): bigint {
  let total = 0n;
  for (const amount of amounts) total += amount;
  return total;
}

export function unequal(what: string, counted: bigint | number, kept: bigint | number): string[] {
  return BigInt(counted) === BigInt(kept) ? [] : [`${what}: ${counted} by the records, ${kept} kept`];
}
