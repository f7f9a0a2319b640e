import { appendFileSync, existsSync, mkdirSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import type { RootDatabase } from "lmdb";
import type { Entries } from "./entries";
import { keyBytes, keyString } from "./keys";
import { sha256 } from "./sha256";
import { StorageError } from "./storage-error";
import type { StoredTree } from "./stored-tree";
import { provable, updateTree } from "./tree";

/** The tables of a state database that a restoration fills. */
export interface StateTables {
  readonly environment: RootDatabase<Buffer, Buffer>;
  readonly entries: Entries;
  readonly tree: StoredTree;
}

/** By the first byte of the hash of a key: a part of the state that is in memory at once. */
const bucketCount = 256;

/**
 * Fills an empty state from its entries, in parts. Nothing of it counts before the database says so: what is there of
 * one that was cut short is dropped when the database is opened again.
 *
 * PERF: the tree lies in the order of the hashes of keys, so that every part touches all of it. Only the entries are
 * written as they come, which in the order of keys is fast; keys are kept in files by the beginning of their hashes, and
 * the tree is made of one file after the other. So each page of it is written once, and memory holds one part, or one
 * file's entries.
 */
export class Restoration {
  /** @param folder for the keys; made here, and removed at the end */
  constructor(
    private readonly tables: StateTables,
    private readonly folder: string,
  ) {
    mkdirSync(folder, { mode: 0o700 });
  }

  /** Writes entries. Each key comes once, in whatever part. */
  add(entries: Iterable<readonly [key: string, value: Uint8Array]>): void {
    const buckets = Array.from({ length: bucketCount }, (): Buffer[] => []);
    this.tables.environment.transactionSync(() => {
      for (const [key, value] of entries) {
        const bytes = keyBytes(key);
        this.tables.entries.put(key, value);
        const length = Buffer.alloc(2);
        length.writeUInt16BE(bytes.length);
        buckets[sha256(bytes)[0] ?? 0]?.push(length, bytes);
      }
    });
    for (const [bucket, parts] of buckets.entries()) {
      if (parts.length > 0) appendFileSync(this.fileOf(bucket), Buffer.concat(parts), { mode: 0o600 });
    }
  }

  /** Writes the tree of all that was added. @returns its root */
  finish(): Buffer {
    const { environment, entries, tree } = this.tables;
    for (let bucket = 0; bucket < bucketCount; bucket++) {
      environment.resetReadTxn();
      const leaves = this.keysOf(bucket).map((key) => [key, provable(storedValue(entries, key))] as const);
      if (leaves.length === 0) continue;
      const update = updateTree(tree, leaves);
      const records = tree.recordsOf(update);
      environment.transactionSync(() => tree.write(records));
      tree.keep(update, "written");
    }
    environment.resetReadTxn();
    rmSync(this.folder, { recursive: true });
    return tree.root();
  }

  private keysOf(bucket: number): string[] {
    const file = this.fileOf(bucket);
    const bytes = existsSync(file) ? readFileSync(file) : Buffer.alloc(0);
    const keys: string[] = [];
    for (let at = 0; at < bytes.length; ) {
      const end = at + 2 + bytes.readUInt16BE(at);
      keys.push(keyString(bytes.subarray(at + 2, end)));
      at = end;
    }
    return keys;
  }

  private fileOf(bucket: number): string {
    return join(this.folder, String(bucket));
  }
}

function storedValue(entries: Entries, key: string): Buffer {
  const value = entries.get(key);
  if (value === undefined) throw new StorageError("an entry that was restored is not there: the disk has lost it");
  return value;
}
