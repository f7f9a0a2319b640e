import type { BlockStore, TransactionPlace } from "../block-store";
import { readPlace } from "../block-store";
import { entryPrefix } from "../event-index";
import { type Condition, InvalidQuery, meets, parseEventQuery } from "../event-query";
import { invalidParameters } from "./rpc-error";

/** Parses the query of a caller. @throws RpcError */
export function parseQuery(text: string): Condition[] {
  try {
    return parseEventQuery(text);
  } catch (error) {
    if (error instanceof InvalidQuery) throw invalidParameters(`query: ${error.message}`);
    throw error;
  }
}

/** Places of the transactions that meet every condition, the first in the chain first. */
export function searchTransactions(store: BlockStore, conditions: readonly Condition[]): TransactionPlace[] {
  const sets = conditions
    .filter((condition) => condition.key !== "tm.event" && condition.key !== "tx.height")
    .map((condition) => {
      if (condition.key !== "tx.hash") return scanPlaces(store, condition);
      const place = store.place(Buffer.from(condition.value, "hex"));
      return new Map(place === undefined ? [] : [[`${place.height}/${place.index}`, place]]);
    });
  const heights = conditions.filter((condition) => condition.key === "tx.height");
  const first = sets.shift() ?? placesInRange(store, heights);
  const found = [...first]
    .filter(([name]) => sets.every((set) => set.has(name)))
    .map(([, place]) => place)
    .filter((place) => place.height >= store.base && heights.every((one) => meets(one, place.height.toString())));
  return found.sort((a, b) => (a.height === b.height ? a.index - b.index : a.height < b.height ? -1 : 1));
}

/** Heights of the blocks that meet every condition, ascending. */
export function searchBlocks(store: BlockStore, conditions: readonly Condition[]): bigint[] {
  const sets = conditions
    .filter((condition) => condition.key !== "tm.event" && condition.key !== "block.height")
    .map((condition) => scanHeights(store, condition));
  const heights = conditions.filter((condition) => condition.key === "block.height");
  const first = sets.shift() ?? heightsInRange(store, heights);
  return [...first]
    .filter((height) => sets.every((set) => set.has(height)))
    .filter((height) => height >= store.base && heights.every((one) => meets(one, height.toString())))
    .sort((a, b) => (a < b ? -1 : 1));
}

function scanPlaces(store: BlockStore, condition: Condition): Map<string, TransactionPlace> {
  const places = new Map<string, TransactionPlace>();
  for (const [value, rest] of scanValues(store, "transaction", condition, 12)) {
    if (!meets(condition, value)) continue;
    const place = readPlace(rest, 0);
    places.set(`${place.height}/${place.index}`, place);
  }
  return places;
}

function scanHeights(store: BlockStore, condition: Condition): Set<bigint> {
  const heights = new Set<bigint>();
  for (const [value, rest] of scanValues(store, "block", condition, 8)) {
    if (meets(condition, value)) heights.add(rest.readBigUInt64BE());
  }
  return heights;
}

function* scanValues(
  store: BlockStore,
  kind: "transaction" | "block",
  condition: Condition,
  placeLength: number,
): Iterable<readonly [value: string, place: Buffer]> {
  if (condition.operator === "=" && condition.number === undefined) {
    for (const rest of store.scan(entryPrefix(kind, condition.key, condition.value))) {
      if (rest.length === placeLength) yield [condition.value, rest];
    }
    return;
  }
  for (const rest of store.scan(entryPrefix(kind, condition.key))) {
    const end = rest.length - placeLength;
    yield [rest.subarray(0, end - 1).toString(), rest.subarray(end)];
  }
}

function heightsInRange(store: BlockStore, conditions: readonly Condition[]): Set<bigint> {
  let from = store.base;
  let to = store.height;
  for (const { operator, number: bound } of conditions) {
    if (bound === undefined) continue;
    if ((operator === ">" || operator === ">=" || operator === "=") && bound > from) from = bound;
    if ((operator === "<" || operator === "<=" || operator === "=") && bound < to) to = bound;
  }
  const heights = new Set<bigint>();
  for (let height = from; height <= to; height++) heights.add(height);
  return heights;
}

function placesInRange(store: BlockStore, conditions: readonly Condition[]): Map<string, TransactionPlace> {
  const places = new Map<string, TransactionPlace>();
  for (const height of heightsInRange(store, conditions)) {
    const count = store.at(height)?.block.data.txs.length ?? 0;
    for (let index = 0; index < count; index++) places.set(`${height}/${index}`, { height, index });
  }
  return places;
}
