import type { KeyValueReader, KeyValueStore, RangeOptions } from "./store";

/**
 * Changes on top of a parent that stays as it is until they are written. A transaction runs in one: when it fails,
 * the branch is dropped and nothing has happened.
 */
export class Branch implements KeyValueStore {
  readonly #parent: KeyValueReader;
  readonly #changes = new Map<string, Uint8Array | undefined>();
  /** The changed keys in order, but for those that have come since the last look. */
  #sorted: string[] = [];
  #arrived: string[] = [];

  constructor(parent: KeyValueReader) {
    this.#parent = parent;
  }

  get(key: string): Uint8Array | undefined {
    return this.#changes.has(key) ? this.#changes.get(key) : this.#parent.get(key);
  }

  set(key: string, value: Uint8Array): void {
    if (!this.#changes.has(key)) this.#arrived.push(key);
    this.#changes.set(key, value);
  }

  delete(key: string): void {
    if (!this.#changes.has(key)) this.#arrived.push(key);
    this.#changes.set(key, undefined);
  }

  /** Merges the parent's entries with the changes. Don't write to the branch while reading a range. */
  *range(start: string, end: string, options: RangeOptions = {}): Generator<readonly [string, Uint8Array]> {
    const { reverse = false, limit = Number.POSITIVE_INFINITY } = options;
    const keys = this.#sortedKeys();
    const first = lowerBound(keys, start);
    const last = lowerBound(keys, end) - 1;
    const step = reverse ? -1 : 1;
    let position = reverse ? last : first;
    const parent = this.#parent.range(start, end, { reverse })[Symbol.iterator]();
    try {
      let theirs = parent.next();
      let given = 0;
      while (given < limit) {
        const key = position < first || position > last ? undefined : keys[position];
        if (theirs.done && key === undefined) return;
        const ownFirst =
          key !== undefined && (theirs.done || (reverse ? key >= theirs.value[0] : key <= theirs.value[0]));
        if (!ownFirst) {
          if (theirs.done) return;
          yield theirs.value;
          given += 1;
          theirs = parent.next();
          continue;
        }
        if (!theirs.done && theirs.value[0] === key) theirs = parent.next();
        position += step;
        const value = this.#changes.get(key);
        if (value === undefined) continue;
        yield [key, value];
        given += 1;
      }
    } finally {
      parent.return?.();
    }
  }

  /** The changes in byte order; undefined: deleted. */
  *changes(): Generator<readonly [key: string, value: Uint8Array | undefined]> {
    for (const key of this.#sortedKeys()) yield [key, this.#changes.get(key)];
  }

  /** Writes the changes to the target in byte order: the shape of an authenticated tree depends on the order. */
  write(target: KeyValueStore): void {
    for (const [key, value] of this.changes()) {
      if (value === undefined) target.delete(key);
      else target.set(key, value);
    }
  }

  /** Forgets the changes. */
  discard(): void {
    this.#changes.clear();
    this.#sorted = [];
    this.#arrived = [];
  }

  /** A few new keys are inserted; many are sorted in with the rest. */
  #sortedKeys(): readonly string[] {
    if (this.#arrived.length > 32) this.#sorted = this.#sorted.concat(this.#arrived).sort();
    else for (const key of this.#arrived) this.#sorted.splice(lowerBound(this.#sorted, key), 0, key);
    this.#arrived = [];
    return this.#sorted;
  }
}

/** Index of the first key that is not before `bound`. */
export function lowerBound(keys: readonly string[], bound: string): number {
  let low = 0;
  let high = keys.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    const key = keys[middle];
    if (key !== undefined && key < bound) low = middle + 1;
    else high = middle;
  }
  return low;
}
