import { SortedKeys } from "./sorted-keys";
import type { KeyValueReader, KeyValueStore, RangeOptions } from "./store";

/**
 * Changes on top of a parent that stays as it is until they are written. A transaction runs in one: when it fails,
 * the branch is dropped and nothing has happened.
 */
export class Branch implements KeyValueStore {
  readonly #parent: KeyValueReader;
  /** By key; undefined: deleted. */
  readonly #changes = new Map<string, Uint8Array | undefined>();
  readonly #keys = new SortedKeys();

  constructor(parent: KeyValueReader) {
    this.#parent = parent;
  }

  get(key: string): Uint8Array | undefined {
    const own = this.#changes.get(key);
    return own !== undefined || this.#changes.has(key) ? own : this.#parent.get(key);
  }

  set(key: string, value: Uint8Array): void {
    if (!this.#changes.has(key)) this.#keys.add(key);
    this.#changes.set(key, value);
  }

  delete(key: string): void {
    if (!this.#changes.has(key)) this.#keys.add(key);
    this.#changes.set(key, undefined);
  }

  /** Merges the parent's entries with the changes. Don't write to the branch while reading a range. */
  *range(start: string, end: string, options: RangeOptions = {}): Generator<readonly [string, Uint8Array]> {
    const { reverse = false, limit = Number.POSITIVE_INFINITY } = options;
    const parent = this.#parent.range(start, end, { reverse })[Symbol.iterator]();
    const keys = this.#keys.between(start, end, reverse ? "backwards" : "forwards");
    try {
      let theirs = parent.next();
      let own = keys.next();
      for (let given = 0; given < limit; ) {
        const key = own.done ? undefined : own.value;
        const theirKey = theirs.done ? undefined : theirs.value[0];
        if (key === undefined && theirKey === undefined) return;
        if (key === undefined || (theirKey !== undefined && (reverse ? theirKey > key : theirKey < key))) {
          if (theirs.done) return;
          yield theirs.value;
          given += 1;
          theirs = parent.next();
          continue;
        }
        // A change hides the parent's entry.
        if (theirKey === key) theirs = parent.next();
        own = keys.next();
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
    for (const key of this.#keys.all()) yield [key, this.#changes.get(key)];
  }

  /** Writes the changes to the target in byte order: the shape of an authenticated tree depends on the order. */
  write(target: KeyValueStore): void {
    for (const [key, value] of this.changes()) {
      if (value === undefined) target.delete(key);
      else target.set(key, value);
    }
  }

  /** Forgets the change of a key that the parent has by now, unless there is another one since. */
  settle(key: string, value: Uint8Array | undefined): void {
    if (!this.#changes.has(key) || this.#changes.get(key) !== value) return;
    this.#changes.delete(key);
    this.#keys.delete(key);
  }

  /** Forgets the changes. */
  discard(): void {
    this.#changes.clear();
    this.#keys.clear();
  }
}
