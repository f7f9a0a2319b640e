import fc from "fast-check";
import { SortedKeys } from "./sorted-keys";

const key = fc.nat(2_000).map((number) => number.toString(16).padStart(3, "0"));

describe("sorted keys", () => {
  test("are those that were added and not deleted, in order, in both directions", () => {
    fc.assert(
      fc.property(
        fc.uniqueArray(key, { maxLength: 1_500, size: "max" }),
        fc.array(key, { maxLength: 800, size: "max" }),
        key,
        key,
        (added, deleted, start, end) => {
          const keys = new SortedKeys();
          for (const one of added) keys.add(one);
          for (const one of deleted) keys.delete(one);
          const expected = added.filter((one) => !deleted.includes(one)).sort();
          const within = expected.filter((one) => start <= one && one < end);
          expect([...keys.all()]).toEqual(expected);
          expect([...keys.between(start, end, "forwards")]).toEqual(within);
          expect([...keys.between(start, end, "backwards")]).toEqual(within.reverse());
          keys.clear();
          expect([...keys.all()]).toEqual([]);
        },
      ),
      { numRuns: 40 },
    );
  });
});
