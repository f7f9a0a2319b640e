import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { StateDatabase } from "./state-database";
import { type StateWrite, WriteBehind } from "./write-behind";

const folders: string[] = [];
const databases: StateDatabase[] = [];

function open(path: string, writeBehind: boolean): StateDatabase {
  const database = new StateDatabase({ path, cachedPages: 4, cachedValues: 4, writeBehind });
  databases.push(database);
  return database;
}

function folder(): string {
  const path = mkdtempSync(join(tmpdir(), "dcx-behind-"));
  folders.push(path);
  return path;
}

async function close(database: StateDatabase): Promise<void> {
  databases.splice(databases.indexOf(database), 1);
  await database.close();
}

afterEach(async () => {
  for (const database of [...databases]) await close(database);
  for (const path of folders.splice(0)) rmSync(path, { recursive: true, force: true });
});

type Changes = ReadonlyMap<string, Uint8Array | undefined>;

/** Of the tables that a state has, so that pieces of a range lie in several B-trees. */
const keys = ["ac", "or", "le", "zz"].flatMap((table) => Array.from({ length: 40 }, (_, n) => `${table}${n}`));
const block = fc
  .array(fc.tuple(fc.constantFrom(...keys), fc.option(fc.uint8Array({ maxLength: 6 }), { nil: undefined })), {
    maxLength: 60,
  })
  .map((list): Changes => new Map(list));

/** Blocks, and after each whether one waits until it is on the disk. */
const histories = fc.array(fc.record({ changes: block, waits: fc.boolean() }), { minLength: 1, maxLength: 8 });

function commit(database: StateDatabase, height: bigint, changes: Changes): void {
  database.commit(database.prepare(height, changes));
}

function all(database: StateDatabase, reverse = false): [string, number[]][] {
  return [...database.range("a", "zzz", { reverse })].map(([key, value]) => [key, [...value]]);
}

describe("a state that is written behind its blocks", () => {
  test("shows at once what one shows that waits for the disk, and is the same when it is opened again", async () => {
    await fc.assert(
      fc.asyncProperty(histories, async (history) => {
        const path = folder();
        const [behind, durable] = [open(path, true), open(folder(), false)];
        for (const [index, { changes, waits }] of history.entries()) {
          const height = BigInt(index + 1);
          for (const database of [behind, durable]) commit(database, height, changes);
          if (waits) await behind.written();
          expect(behind.last).toEqual(durable.last);
          expect(all(behind)).toEqual(all(durable));
          expect(all(behind, true)).toEqual(all(durable, true));
          expect(keys.map((key) => behind.get(key))).toEqual(keys.map((key) => durable.get(key)));
          expect(behind.prove("or7")).toEqual(durable.prove("or7"));
        }
        await close(behind);
        const again = open(path, true);
        expect(again.last).toEqual(durable.last);
        expect(all(again)).toEqual(all(durable));
        expect(again.treeProblems()).toEqual([]);
      }),
      { numRuns: 10 },
    );
  });
});

describe("writes one after the other", () => {
  const write = (height: bigint, entries: Record<string, Uint8Array | undefined> = {}): StateWrite => ({
    block: { height, appHash: Buffer.alloc(32) },
    entries: new Map(Object.entries(entries)),
    records: new Map(),
    pages: new Map(),
  });

  test("put together what waits, the later over the earlier", async () => {
    const began: StateWrite[] = [];
    const ends: (() => void)[] = [];
    const done: bigint[] = [];
    const writes = new WriteBehind(
      (one) => {
        began.push(one);
        return new Promise<void>((resolve) => ends.push(resolve));
      },
      ({ block }) => done.push(block.height),
    );
    writes.add(write(1n, { a: Uint8Array.of(1) }));
    writes.add(write(2n, { a: Uint8Array.of(2), b: Uint8Array.of(2) }));
    writes.add(write(3n, { a: undefined }));
    expect(began).toHaveLength(1);
    const written = writes.written();
    ends[0]?.();
    while (ends.length < 2) await new Promise((resolve) => setImmediate(resolve));
    expect(done).toEqual([1n]);
    expect(began[1]?.block.height).toBe(3n);
    expect(began[1]?.entries).toEqual(
      new Map([
        ["a", undefined],
        ["b", Uint8Array.of(2)],
      ]),
    );
    ends[1]?.();
    await written;
    expect(done).toEqual([1n, 3n]);
  });

  test("end with one that fails: whoever commits after it is told", async () => {
    const writes = new WriteBehind(
      () => Promise.reject(new Error("the disk is full")),
      () => undefined,
    );
    writes.add(write(1n));
    await expect(writes.written()).rejects.toThrow("the disk is full");
    expect(() => writes.add(write(2n))).toThrow("the disk is full");
    await expect(writes.written()).rejects.toThrow("the disk is full");
  });
});
