/**
 * Ordered keys to values, as the state machine sees them. A key is a string whose characters are bytes (0 to 255),
 * so that JavaScript's string order is byte order on every engine. Everything is synchronous.
 */
export interface KeyValueReader {
  get(key: string): Uint8Array | undefined;
  /** Entries with start <= key < end, in byte order, or from the end backwards. */
  range(start: string, end: string, options?: RangeOptions): Iterable<readonly [key: string, value: Uint8Array]>;
}

export interface RangeOptions {
  readonly reverse?: boolean;
  readonly limit?: number;
}

export interface KeyValueStore extends KeyValueReader {
  set(key: string, value: Uint8Array): void;
  delete(key: string): void;
}
