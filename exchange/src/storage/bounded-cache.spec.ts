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

it("holds no more than its limit where entries weigh, but for one that weighs more alone", () => {
  const cache = new BoundedCache<number, number>(100, (weight) => weight);
  const held = () => [...everything(cache).values()].reduce((sum, weight) => sum + weight, 0);
  for (let key = 0; key < 100; key++) {
    const weight = 1 + ((key * 7) % 50);
    cache.set(key, weight);
    expect(held()).toBeLessThanOrEqual(100);
    expect(cache.get(key)).toBe(weight);
  }
  cache.set(100, 1_000);
  expect(cache.get(100)).toBe(1_000);
  cache.set(101, 40);
  cache.set(102, 40);
  expect(cache.get(100)).toBeUndefined();
  expect(cache.get(102)).toBe(40);
});

it("counts what was replaced or deleted no more", () => {
  const cache = new BoundedCache<string, number>(10, (weight) => weight);
  for (let round = 0; round < 20; round++) {
    cache.set("a", 5);
    cache.set("a", 1);
    cache.set("b", 4);
    cache.delete("b");
  }
  cache.set("c", 4);
  expect([...everything(cache)].sort()).toEqual([
    ["a", 1],
    ["c", 4],
  ]);
  cache.clear();
  expect(everything(cache).size).toBe(0);
});

function everything<K, V>(cache: BoundedCache<K, V>): Map<K, V> {
  const { newer, older } = cache as unknown as { newer: Map<K, V>; older: Map<K, V> };
  return new Map([...older, ...newer]);
}
