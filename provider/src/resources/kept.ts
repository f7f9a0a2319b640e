import { deserialize, serialize } from "node:v8";

/**
 * Values by key for as long as a run goes on, packed: as objects, those of a thousand resources would be most of what the
 * process holds. What is got is a copy.
 */
export class Kept<T> {
  readonly #packed = new Map<string, Buffer>();

  get(key: string): T | undefined {
    const packed = this.#packed.get(key);
    if (packed === undefined) {
      return undefined;
    }
    const value: unknown = deserialize(packed);
    // Nothing but `set` makes what is in here.
    return value as T;
  }

  set(key: string, value: T): void {
    this.#packed.set(key, serialize(value));
  }

  delete(key: string): void {
    this.#packed.delete(key);
  }
}
