import { SortedKeys } from "./sorted-keys";
import type { KeyValueStore, RangeOptions } from "./store";

/** A store in memory, for tests and simulations. */
export class MemoryStore implements KeyValueStore {
  readonly #entries = new Map<string, Uint8Array>();
  readonly #keys = new SortedKeys();

  get(key: string): Uint8Array | undefined {
    return this.#entries.get(key);
  }

  set(key: string, value: Uint8Array): void {
    if (!this.#entries.has(key)) this.#keys.add(key);
    this.#entries.set(key, value);
  }

  delete(key: string): void {
    if (this.#entries.delete(key)) this.#keys.delete(key);
  }

  *range(start: string, end: string, options: RangeOptions = {}): Generator<readonly [string, Uint8Array]> {
    const { reverse = false, limit = Number.POSITIVE_INFINITY } = options;
    let given = 0;
    for (const key of this.#keys.between(start, end, reverse ? "backwards" : "forwards")) {
      if (given === limit) return;
      const value = this.#entries.get(key);
      if (value !== undefined) yield [key, value];
      given += 1;
    }
  }

  /** Everything, in byte order. */
  entries(): readonly (readonly [string, Uint8Array])[] {
    return [...this.#keys.all()].flatMap((key) => {
      const value = this.#entries.get(key);
      return value === undefined ? [] : [[key, value] as const];
    });
  }
}
