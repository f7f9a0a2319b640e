import type { PageRequest, PageResponse } from "@dcx/protocol";
import { invalid } from "./errors";
import { bytesKey, keyAfter, keyBytes, prefixEnd } from "./keys";
import type { KeyValueReader } from "./store";

const defaultLimit = 100;
const mostItems = 1000;
/** Most entries that one page looks at: a filter that fits few gives short pages with a next key, not long ones. */
const mostScanned = 5_000;

interface Page<Item> {
  readonly items: Item[];
  readonly page: PageResponse;
}

/**
 * One page of the entries under a prefix that `read` turns into an item. PERF: at most `mostScanned` entries.
 * @throws ExchangeError when it is to begin both after a key and at an offset, or at one further than that
 */
export function paginate<Item>(
  store: KeyValueReader,
  prefix: string,
  request: PageRequest | undefined,
  read: (key: string, value: Uint8Array) => Item | undefined,
): Page<Item> {
  const asked = request?.limit ?? 0;
  const limit = Math.min(asked === 0 ? defaultLimit : asked, mostItems);
  let left = request?.offset ?? 0n;
  if (left > 0n && request !== undefined && request.key.length > 0) {
    throw invalid("page", "a key or an offset is expected, not both");
  }
  const from = request === undefined || request.key.length === 0 ? prefix : prefix + bytesKey(request.key);
  const items: Item[] = [];
  let last = "";
  let scanned = 0;
  for (const [key, value] of store.range(from, prefixEnd(prefix), { limit: mostScanned + 1 })) {
    if (items.length === limit || scanned === mostScanned) {
      if (left > 0n) throw invalid("page.offset", `more than ${mostScanned} entries: go on with next_key instead`);
      return { items, page: { nextKey: keyBytes(keyAfter(last).slice(prefix.length)) } };
    }
    scanned += 1;
    last = key;
    const item = read(key.slice(prefix.length), value);
    if (item === undefined) continue;
    if (left > 0n) left -= 1n;
    else items.push(item);
  }
  return { items, page: { nextKey: new Uint8Array(0) } };
}
