import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import fc from "fast-check";
import { StateDatabase } from "./state-database";
import { provable, updateTree } from "./tree";

let home: string;
let opened: StateDatabase[];

beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), "dcx-restoration-"));
  opened = [];
});

afterEach(async () => {
  for (const database of opened) await database.close();
  rmSync(home, { recursive: true, force: true });
});

function open(name: string): StateDatabase {
  const database = new StateDatabase({ path: join(home, name) });
  opened.push(database);
  return database;
}

type Entries = readonly (readonly [key: string, value: Uint8Array])[];
const entriesOf = (count: number): Entries =>
  Array.from({ length: count }, (_, index) => [`entry ${index}`, Buffer.from(`value ${index}`)] as const);

/** The app hash of a state that holds this. */
function appHashOf(entries: Entries): Uint8Array {
  const nothing = { page: () => undefined };
  return updateTree(
    nothing,
    entries.map(([key, value]) => [key, provable(value)]),
  ).root;
}

function restore(database: StateDatabase, parts: readonly Entries[], appHash: Uint8Array): boolean {
  const restoration = database.beginRestoration();
  for (const part of parts) restoration.add(part);
  return database.finishRestoration(restoration, 7n, appHash);
}

test("a state that comes in parts is the one that was written at once, with the same tree", () => {
  const value = fc.uint8Array({ maxLength: 6 });
  const state = fc.dictionary(fc.string({ unit: "binary-ascii", minLength: 1, maxLength: 8 }), value, { maxKeys: 80 });
  let run = 0;
  fc.assert(
    fc.property(state, fc.integer({ min: 1, max: 20 }), (held, size) => {
      const entries = Object.entries(held);
      const parts = Array.from({ length: Math.ceil(entries.length / size) }, (_, part) =>
        entries.slice(part * size, (part + 1) * size),
      );
      const database = open(`restored-${run++}`);
      const appHash = appHashOf(entries);
      expect(restore(database, parts, appHash)).toBe(true);
      expect(database.last).toEqual({ height: 7n, appHash });
      expect(database.treeProblems()).toEqual([]);
      for (const [key, bytes] of entries) expect(database.get(key)).toEqual(Buffer.from(bytes));
    }),
    { numRuns: 30 },
  );
});

test("blocks go on from it", () => {
  const entries = entriesOf(500);
  const database = open("restored");
  // What was looked for before is there now.
  expect(database.get("entry 3")).toBeUndefined();
  restore(database, [entries], appHashOf(entries));
  expect(database.get("entry 3")).toEqual(Buffer.from("value 3"));
  database.commit(database.prepare(8n, [["entry 3", Buffer.from("changed")]]));
  expect(database.treeProblems()).toEqual([]);
  expect(() => database.beginRestoration()).toThrow("height 8");
});

describe("nothing is left of one", () => {
  const entries = entriesOf(500);
  const expectNothing = (database: StateDatabase) => {
    expect(database.last).toBeUndefined();
    expect([...database.range("\x00", "\xff")]).toEqual([]);
    database.commit(database.prepare(1n, entries.slice(0, 100)));
    expect(database.treeProblems()).toEqual([]);
    expect(existsSync(join(home, "restored-restoration"))).toBe(false);
  };

  test("that leads to another app hash", () => {
    const database = open("restored");
    expect(restore(database, [entries], appHashOf(entries.slice(1)))).toBe(false);
    expectNothing(database);
  });

  test("that was cut short, once the state is opened again", async () => {
    const database = open("restored");
    database.beginRestoration().add(entries);
    await database.close();
    opened.splice(opened.indexOf(database), 1);
    expectNothing(open("restored"));
  });

  test("that another one, or another beginning of the chain, takes the place of", () => {
    const database = open("restored");
    database.beginRestoration().add(entries);
    const fewer = entries.slice(200);
    expect(restore(database, [fewer], appHashOf(fewer))).toBe(true);
    expect(database.treeProblems()).toEqual([]);
    const other = open("other");
    other.beginRestoration().add(entries);
    other.dropUncommitted();
    other.commit(other.prepare(0n, fewer));
    expect(other.treeProblems()).toEqual([]);
  });
});

test("memory holds a part at a time, however large the state is", () => {
  setFlagsFromString("--expose-gc");
  const collect: () => void = runInNewContext("gc");
  const held = () => {
    collect();
    const { heapUsed, external } = process.memoryUsage();
    return (heapUsed + external) / 2 ** 20;
  };
  const database = open("restored");
  const restoration = database.beginRestoration();
  const megabytes = 96;
  const before = held();
  let most = before;
  for (let part = 0; part < megabytes; part++) {
    restoration.add(
      Array.from({ length: 1_000 }, (_, index) => {
        const key = `entry ${String(part * 1_000 + index).padStart(8, "0")}`;
        return [key, Buffer.alloc(1_024, part)] as const;
      }),
    );
    if (part % 16 === 15) most = Math.max(most, held());
  }
  expect(database.finishRestoration(restoration, 7n, new Uint8Array(32))).toBe(false);
  expect(Math.max(most, held()) - before).toBeLessThan(megabytes / 4);
});
