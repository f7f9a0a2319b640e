import { createHash } from "node:crypto";
import { type KeyValueReader, StateDatabase } from "@dcx/exchange";

/** By the first byte of the hash. */
const bucketCount = 256;
/** Buckets that enter the state in one write: each write touches all pages of the entries, which lie in the order of keys. */
const perWrite = 32;
/** Lengths of key and value. */
const headBytes = 6;

/**
 * A state that is filled in bulk. The tree's pages are in the order of the hashes of keys: where entries come in any other
 * order each write touches nearly all of them, and a million orders take half an hour. So entries are collected in memory
 * (1.2 GB for a million orders), by the beginnings of their hashes, and each page is written once.
 */
export class StateBuilder implements KeyValueReader {
  private readonly kept = new Map<string, Uint8Array>();
  private readonly buckets = Array.from({ length: bucketCount }, (): Buffer[] => []);

  /** @param keptTables the first two characters of keys that are read, or written again, by later writes */
  constructor(private readonly keptTables: ReadonlySet<string>) {}

  get(key: string): Uint8Array | undefined {
    return this.kept.get(key);
  }

  range(): never {
    throw new Error("entries are in no order here: what asks for a range can't be done in bulk");
  }

  /** Adds entries, and changes those of the kept tables. */
  write(changes: Iterable<readonly [key: string, value: Uint8Array | undefined]>): void {
    const collected = this.buckets.map((): Buffer[] => []);
    for (const [key, value] of changes) {
      if (this.keptTables.has(key.slice(0, 2))) {
        if (value === undefined) this.kept.delete(key);
        else this.kept.set(key, value);
      } else if (value !== undefined) {
        const bytes = Buffer.from(key, "latin1");
        const head = Buffer.alloc(headBytes);
        head.writeUInt16BE(bytes.length);
        head.writeUInt32BE(value.length, 2);
        collected[bucketOf(bytes)]?.push(head, bytes, Buffer.from(value));
      }
    }
    for (const [index, bucket] of this.buckets.entries()) bucket.push(Buffer.concat(collected[index] ?? []));
  }

  /** Writes the state of that height with its tree. @throws Error where an entry was written twice that is not kept */
  async finish(path: string, height: bigint): Promise<void> {
    const database = new StateDatabase({ path });
    try {
      database.commit(database.prepare(height, this.kept));
      for (let first = 0; first < bucketCount; first += perWrite) {
        const entries = new Map<string, Uint8Array>();
        for (const chunk of this.buckets.slice(first, first + perWrite).flat()) addEntries(chunk, entries);
        database.commit(database.prepare(height, entries));
      }
    } finally {
      await database.close();
    }
  }
}

function addEntries(chunk: Buffer, entries: Map<string, Uint8Array>): void {
  for (let at = 0; at < chunk.length; ) {
    const key = at + headBytes;
    const value = key + chunk.readUInt16BE(at);
    const end = value + chunk.readUInt32BE(at + 2);
    const name = chunk.toString("latin1", key, value);
    if (entries.has(name))
      throw new Error(`the entry ${JSON.stringify(name)} was written twice: its table is to be kept`);
    entries.set(name, chunk.subarray(value, end));
    at = end;
  }
}

function bucketOf(key: Buffer): number {
  return createHash("sha256").update(key).digest()[0] ?? 0;
}
