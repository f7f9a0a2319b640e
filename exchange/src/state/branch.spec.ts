import fc from "fast-check";
import { Branch } from "./branch";
import { MemoryStore } from "./memory-store";
import type { KeyValueReader } from "./store";

const key = fc.constantFrom("", "a", "a\0", "ab", "b", "b\xff", "c", "\xff");
const change = fc.record({ key, value: fc.option(fc.nat(255), { nil: undefined }) });

function apply(store: MemoryStore | Branch, changes: readonly { key: string; value: number | undefined }[]): void {
  for (const { key: changed, value } of changes)
    if (value === undefined) store.delete(changed);
    else store.set(changed, Uint8Array.of(value));
}

function keysAfter(...histories: readonly (readonly { key: string; value: number | undefined }[])[]): string[] {
  const there = new Map(histories.flat().map(({ key: changed, value }) => [changed, value]));
  return [...there]
    .filter(([, value]) => value !== undefined)
    .map(([changed]) => changed)
    .sort();
}

describe("a branch", () => {
  test("reads as its parent with the changes, and the parent stays as it is until they are written", () => {
    fc.assert(
      fc.property(
        fc.array(change),
        fc.array(change),
        fc.array(change),
        key,
        key,
        fc.boolean(),
        fc.option(fc.nat(4), { nil: undefined }),
        (before, first, second, start, end, reverse, limit) => {
          const parent = new MemoryStore();
          const expected = new MemoryStore();
          apply(parent, before);
          apply(expected, [...before, ...first, ...second]);
          const untouched = parent.entries();
          const branch = new Branch(parent);
          apply(branch, first);
          // A look in between sorts the keys that are there.
          expect([...branch.range("", "\xff\xff")].map(([found]) => found)).toEqual(keysAfter(before, first));
          const nested = new Branch(branch);
          apply(nested, second);
          const options = limit === undefined ? { reverse } : { reverse, limit };
          const look = (store: KeyValueReader) => [...store.range(start, end, options)];
          expect(look(nested)).toEqual(look(expected));
          expect(nested.get(start)).toEqual(expected.get(start));
          expect(parent.entries()).toEqual(untouched);
          nested.write(branch);
          branch.write(parent);
          expect(parent.entries()).toEqual(expected.entries());
        },
      ),
    );
  });

  test("writes its changes in byte order, each key once", () => {
    const branch = new Branch(new MemoryStore());
    for (const changed of ["b", "a", "\xff", "a\0", "b"]) branch.set(changed, Uint8Array.of(1));
    branch.delete("a");
    expect([...branch.changes()].map(([changed, value]) => [changed, value === undefined])).toEqual([
      ["a", true],
      ["a\0", false],
      ["b", false],
      ["\xff", false],
    ]);
  });

  test("forgets its changes when it is discarded", () => {
    const branch = new Branch(new MemoryStore());
    branch.set("a", Uint8Array.of(1));
    branch.discard();
    expect([branch.get("a"), [...branch.changes()]]).toEqual([undefined, []]);
  });
});
