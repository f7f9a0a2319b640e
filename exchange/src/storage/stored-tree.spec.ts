import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { type Database, open as openEnvironment } from "lmdb";
import { StateDatabase } from "./state-database";
import { StorageError } from "./storage-error";

let home: string;
let opened: StateDatabase[];

beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), "dcx-tree-"));
  opened = [];
});

afterEach(async () => {
  for (const database of opened) await database.close();
  rmSync(home, { recursive: true, force: true });
});

function open(name: string): StateDatabase {
  const database = new StateDatabase({ path: join(home, name), cachedPages: 8, cachedValues: 8 });
  opened.push(database);
  return database;
}

/** Opens it as the next start of a node does. */
async function again(database: StateDatabase, name: string): Promise<StateDatabase> {
  opened.splice(opened.indexOf(database), 1);
  await database.close();
  return open(name);
}

const binary = { encoding: "binary", keyEncoding: "binary" } as const;

/** The tree's records as they are on the disk. */
async function recordsOf(name: string): Promise<ReadonlyMap<string, string>> {
  const environment = openEnvironment<Buffer, Buffer>({ path: join(home, name), ...binary, readOnly: true });
  const records = environment.openDB<Buffer, Buffer>("tree", binary);
  const found = new Map<string, string>();
  for (const { key, value } of records.getRange()) found.set(key.toString("latin1"), value.toString("hex"));
  await environment.close();
  return found;
}

/** Changes the records of a database, which is closed, behind the node's back. */
async function tamper<T>(database: StateDatabase, change: (records: Database<Buffer, Buffer>) => T): Promise<T> {
  await database.close();
  opened.splice(opened.indexOf(database), 1);
  const environment = openEnvironment<Buffer, Buffer>({ path: join(home, "state"), ...binary });
  const changed = change(environment.openDB<Buffer, Buffer>("tree", binary));
  await environment.close();
  return changed;
}

/** Long keys fill a record with a few of them. */
const nameOf = (index: number) => `${"key ".repeat(1 + (index % 50))}${index}`;

interface Step {
  readonly first: number;
  readonly count: number;
  readonly act: "put" | "delete";
}

const step = fc.record<Step>({
  first: fc.integer({ min: 0, max: 6_000 }),
  // Some touch a key or two, some most of them.
  count: fc.oneof(fc.integer({ min: 1, max: 3 }), fc.integer({ min: 1, max: 6_000 })),
  act: fc.constantFrom("put", "put", "delete"),
});

test("the records depend on what the state holds, not on how it came about, and lead to the same tree when they are read again", async () => {
  let run = 0;
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 8 }), async (steps) => {
      const [one, other] = [`stepwise-${run}`, `at-once-${run++}`];
      let stepwise = open(one);
      const model = new Map<string, Uint8Array>();
      let height = 0n;
      for (const { first, count, act } of steps) {
        const names = Array.from({ length: count }, (_, index) => nameOf(first + index));
        height += 1n;
        const value = act === "put" ? Buffer.from(String(height)) : undefined;
        stepwise.commit(stepwise.prepare(height, new Map(names.map((name) => [name, value]))));
        for (const name of names) {
          if (value === undefined) model.delete(name);
          else model.set(name, value);
        }
        expect(stepwise.treeProblems()).toEqual([]);
        // Every other step begins with what the start of a node reads.
        if (height % 2n === 0n) stepwise = await again(stepwise, one);
        expect(stepwise.root()).toEqual(stepwise.last?.appHash);
      }
      const atOnce = open(other);
      atOnce.commit(atOnce.prepare(height, model));
      expect(atOnce.last?.appHash).toEqual(stepwise.last?.appHash);
      expect(await recordsOf(one)).toEqual(await recordsOf(other));
    }),
    { numRuns: 15 },
  );
});

test("a change among many entries writes no record of the first three levels, and few below", async () => {
  const database = open("state");
  database.commit(
    database.prepare(
      1n,
      Array.from({ length: 60_000 }, (_, index) => [`entry ${index}`, Buffer.from("1")] as const),
    ),
  );
  const before = await recordsOf("state");
  expect([...before.keys()].filter((key) => key.length < 4)).toEqual([]);
  database.commit(database.prepare(2n, [["entry 7", Buffer.from("2")]]));
  const after = await recordsOf("state");
  const written = [...after].filter(([key, record]) => before.get(key) !== record);
  expect(written.length).toBeLessThanOrEqual(2);
  expect(after.size).toBe(before.size);
});

test("a state whose tree does not lead to its app hash is not gone on from", async () => {
  const database = open("state");
  database.commit(database.prepare(1n, [["a", Buffer.from("1")]]));
  await tamper(database, (records) => records.clearSync());
  expect(() => open("state")).toThrow(StorageError);
  const looking = new StateDatabase({ path: join(home, "state"), readOnly: true });
  opened.push(looking);
  expect(looking.treeProblems()).toEqual([
    expect.stringMatching(/^app hash/),
    "tree: it has 0 leaves, there are 1 entries",
  ]);
});

test("a record that is missing is told", async () => {
  const database = open("state");
  database.commit(
    database.prepare(
      1n,
      Array.from({ length: 200_000 }, (_, index) => [`entry ${index}`, Buffer.from("1")] as const),
    ),
  );
  const lost = await tamper(database, (records) => {
    const [key] = [...records.getKeys({ start: Buffer.from("/"), limit: 1 })];
    if (key === undefined) throw new Error("the state is too small to have a record below the upper ones");
    records.removeSync(key);
    return key;
  });
  const problems = open("state").treeProblems();
  expect(problems).toContainEqual(
    `tree: the page at "${lost.toString().slice(1, -1)}" is not what the entries lead to`,
  );
  expect(problems).toContainEqual(expect.stringMatching(/leaves, there are 200000 entries$/));
});
