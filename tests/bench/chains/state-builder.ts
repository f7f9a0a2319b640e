import { createHash } from "node:crypto";
import { rmSync } from "node:fs";
import { type KeyValueReader, StateDatabase } from "@dcx/exchange";
import { type Database, open, type RootDatabase } from "lmdb";

/** Entries that go into the state in one write. */
const perWrite = 100_000;
/** Of the hash, before each key: so many keys lie together, and pages of the tree are filled one after the other. */
const prefixBytes = 4;

/**
 * A state that is filled in bulk. The tree's pages are in the order of the hashes of keys: where entries come in any other
 * order each write touches nearly all of them, and a million orders take half an hour. So entries are collected on the disk
 * in that order, and enter the state when all are there: every page is written once.
 */
export class StateBuilder implements KeyValueReader {
  private readonly root: RootDatabase<Buffer, Buffer>;
  private readonly entries: Database<Buffer, Buffer>;

  constructor(private readonly path: string) {
    const binary = { encoding: "binary", keyEncoding: "binary" } as const;
    this.root = open<Buffer, Buffer>({ path: `${path}-entries`, ...binary, noSync: true, maxDbs: 1 });
    this.entries = this.root.openDB("entries", binary);
  }

  get(key: string): Uint8Array | undefined {
    return this.entries.get(placeOf(key));
  }

  range(): never {
    throw new Error("entries lie in the order of hashes here: what asks for a range can't be done in bulk");
  }

  /** Adds, changes and (undefined) removes entries. */
  write(changes: Iterable<readonly [key: string, value: Uint8Array | undefined]>): void {
    this.root.transactionSync(() => {
      for (const [key, value] of changes) {
        if (value === undefined) this.entries.removeSync(placeOf(key));
        else this.entries.putSync(placeOf(key), Buffer.from(value));
      }
    });
  }

  /** Writes the state of that height with its tree, and forgets what was collected. */
  async finish(height: bigint): Promise<void> {
    const database = new StateDatabase({ path: this.path });
    try {
      let changes: [string, Uint8Array][] = [];
      const commit = () => {
        database.commit(database.prepare(height, changes));
        changes = [];
      };
      for (const { key, value } of this.entries.getRange()) {
        changes.push([key.subarray(prefixBytes).toString("latin1"), Buffer.from(value)]);
        if (changes.length === perWrite) commit();
      }
      commit();
    } finally {
      await database.close();
    }
    await this.close();
  }

  async close(): Promise<void> {
    await this.root.close();
    rmSync(`${this.path}-entries`, { recursive: true, force: true });
    rmSync(`${this.path}-entries-lock`, { force: true });
  }
}

function placeOf(key: string): Buffer {
  const bytes = Buffer.from(key, "latin1");
  return Buffer.concat([createHash("sha256").update(bytes).digest().subarray(0, prefixBytes), bytes]);
}
