import { lowerBound } from "./branch";
import type { KeyValueStore, RangeOptions } from "./store";

/** A store in memory, for tests and simulations. */
export class MemoryStore implements KeyValueStore {
  readonly #entries = new Map<string, Uint8Array>();
  #sorted: string[] = [];

  get(key: string): Uint8Array | undefined {
    return this.#entries.get(key);
  }

  set(key: string, value: Uint8Array): void {
    if (!this.#entries.has(key)) this.#sorted.splice(lowerBound(this.#sorted, key), 0, key);
    this.#entries.set(key, value);
  }

  delete(key: string): void {
    if (this.#entries.delete(key)) this.#sorted.splice(lowerBound(this.#sorted, key), 1);
  }

  *range(start: string, end: string, options: RangeOptions = {}): Generator<readonly [string, Uint8Array]> {
    const keys = this.#sorted.slice(lowerBound(this.#sorted, start), lowerBound(this.#sorted, end));
    if (options.reverse) keys.reverse();
    for (const key of keys.slice(0, options.limit)) {
      const value = this.#entries.get(key);
      if (value !== undefined) yield [key, value];
    }
  }

  /** Everything, in byte order. */
  entries(): readonly (readonly [string, Uint8Array])[] {
    return this.#sorted.flatMap((key) => {
      const value = this.#entries.get(key);
      return value === undefined ? [] : [[key, value] as const];
    });
  }
}
