export { Branch } from "./state/branch";
export * from "./state/machine";
export { MemoryStore } from "./state/memory-store";
export type { KeyValueReader, KeyValueStore, RangeOptions } from "./state/store";
