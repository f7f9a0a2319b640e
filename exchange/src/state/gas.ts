import type { GasMeter } from "./context";
import type { KeyValueStore, RangeOptions } from "./store";

/** What reading and writing costs. Storage is dear beside computing: it stays with every node. */
const gasCosts = {
  read: 300n,
  readByte: 1n,
  write: 600n,
  writeByte: 4n,
  delete: 300n,
  rangeItem: 50n,
} as const;

/**
 * A store that charges for what is done to it. The same operations are charged in a simulation and in a block, whatever
 * lies beneath, so an estimate is exact as long as the state stays the same.
 */
export class MeteredStore implements KeyValueStore {
  readonly #store: KeyValueStore;
  readonly #gas: GasMeter;

  constructor(store: KeyValueStore, gas: GasMeter) {
    this.#store = store;
    this.#gas = gas;
  }

  get(key: string): Uint8Array | undefined {
    this.#gas.consume(gasCosts.read, "read");
    const value = this.#store.get(key);
    if (value !== undefined) this.#gas.consume(BigInt(value.length) * gasCosts.readByte, "read bytes");
    return value;
  }

  *range(start: string, end: string, options?: RangeOptions): Generator<readonly [string, Uint8Array]> {
    this.#gas.consume(gasCosts.read, "range");
    for (const entry of this.#store.range(start, end, options)) {
      this.#gas.consume(gasCosts.rangeItem + BigInt(entry[1].length) * gasCosts.readByte, "range item");
      yield entry;
    }
  }

  set(key: string, value: Uint8Array): void {
    this.#gas.consume(gasCosts.write + BigInt(key.length + value.length) * gasCosts.writeByte, "write");
    this.#store.set(key, value);
  }

  delete(key: string): void {
    this.#gas.consume(gasCosts.delete, "delete");
    this.#store.delete(key);
  }
}
