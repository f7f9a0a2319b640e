import { BoundedCache } from "./bounded-cache";

it("keeps the entries used last, and never more than its limit", () => {
  const cache = new BoundedCache<number, string>(8);
  const held = () => Array.from({ length: 100 }, (_, key) => key).filter((key) => peek(key));
  const peek = (key: number) => everything(cache).has(key);
  for (let key = 0; key < 100; key++) {
    cache.set(key, `value ${key}`);
    expect(cache.get(0)).toBe("value 0");
    expect(held().length).toBeLessThanOrEqual(8);
  }
  expect(cache.get(99)).toBe("value 99");
  expect(cache.get(98)).toBe("value 98");
  expect(cache.get(50)).toBeUndefined();
});

it("never answers with what was replaced or deleted", () => {
  const cache = new BoundedCache<string, number>(4);
  cache.set("a", 1);
  for (const other of ["b", "c", "d"]) cache.set(other, 0);
  cache.set("a", 2);
  for (const other of ["e", "f"]) cache.set(other, 0);
  expect(cache.get("a")).toBe(2);
  cache.delete("a");
  expect(cache.get("a")).toBeUndefined();
});

function everything<K, V>(cache: BoundedCache<K, V>): Map<K, V> {
  const { newer, older } = cache as unknown as { newer: Map<K, V>; older: Map<K, V> };
  return new Map([...older, ...newer]);
}
