import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { open as openEnvironment, type RootDatabase } from "lmdb";
import { tables } from "../state/keys";
import { Entries, mostDatabases } from "./entries";

let home: string;
let environment: RootDatabase<Buffer, Buffer>;
let entries: Entries;

beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), "dcx-entries-"));
  environment = openEnvironment<Buffer, Buffer>({
    path: home,
    encoding: "binary",
    keyEncoding: "binary",
    maxDbs: mostDatabases,
  });
  entries = new Entries(environment);
});

afterEach(async () => {
  await environment.close();
  rmSync(home, { recursive: true, force: true });
});

/** Of tables that follow one another, of others, and of none: shorter than a table's name, before, between and behind. */
const beginning = fc.constantFrom(
  ...[tables.account, tables.order, tables.openOrder, tables.timer, tables.chain],
  ...["\x01", "a", "ab", "ad", "o", "os", "z", "\xfe\xff"],
);
const key = fc
  .tuple(beginning, fc.string({ unit: "binary-ascii", maxLength: 2 }))
  .map(([first, rest]) => `${first}${rest}`);

test("a range is in the byte order of keys over all tables, and what lies between them", () => {
  const query = fc.record({
    start: key,
    end: key,
    reverse: fc.boolean(),
    limit: fc.option(fc.integer({ min: 0, max: 6 }), { nil: Number.POSITIVE_INFINITY }),
  });
  fc.assert(
    fc.property(fc.uniqueArray(key, { maxLength: 30 }), fc.array(query, { maxLength: 10 }), (keys, queries) => {
      environment.transactionSync(() => {
        entries.clear();
        for (const one of keys) entries.put(one, Buffer.from(one, "latin1"));
      });
      const sorted = [...keys].sort();
      expect([...entries.range("\x00", "\xff")].map(([one]) => one)).toEqual(sorted);
      expect(entries.count).toBe(keys.length);
      for (const { start, end, reverse, limit } of queries) {
        const within = sorted.filter((one) => one >= start && one < end);
        const expected = (reverse ? within.reverse() : within).slice(0, limit);
        const found = [...entries.range(start, end, { reverse, limit })];
        expect(found.map(([one]) => one)).toEqual(expected);
        expect(found.map(([, value]) => value.toString("latin1"))).toEqual(expected);
      }
      for (const one of keys) expect(entries.get(one)?.toString("latin1")).toBe(one);
    }),
    { numRuns: 150 },
  );
});

test("a table's entries are in its own database, and its name is nobody else's", () => {
  const names = Object.values(tables);
  expect(new Set(names).size).toBe(names.length);
  expect(names.every((name) => /^[a-z]{2}$/.test(name))).toBe(true);
  // Those of the tree, of the last block and of no table come on top.
  expect(names.length + 3).toBeLessThan(mostDatabases);
});
