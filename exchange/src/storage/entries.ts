import type { Database, RootDatabase, Transaction } from "lmdb";
import { tables } from "../state/keys";
import type { KeyValueReader, RangeOptions } from "../state/store";
import { asBuffer, keyBytes, keyString, longestKey } from "./keys";
import { reading } from "./storage-error";

const binary = { encoding: "binary", keyEncoding: "binary" } as const;

/** How many named databases an environment has at most: these, and those of the tree and of the last block. */
export const mostDatabases = 64;

/** The name of the lmdb database that holds the entries of a table, or of none. */
export function entriesName(table = ""): string {
  return `entries${table}`;
}

interface Part {
  /** What its keys begin with; absent: with no table's name. */
  readonly table?: string;
  readonly database: Database<Buffer, Buffer>;
}

/** Keys from `start` on and before `end`, of one part. */
interface Piece {
  readonly part: Part;
  readonly start: string;
  readonly end: string;
}

/**
 * The state's entries in lmdb, each table in a B-tree of its own.
 *
 * PERF: lmdb writes anew all pages on the way from a B-tree's root to what changes. A large table has fewer of them than all
 * tables together, and what every block writes is in small ones.
 */
export class Entries {
  private readonly parts: readonly Part[];
  private readonly byTable = new Map<string, Part>();
  private readonly rest: Part;

  constructor(environment: RootDatabase<Buffer, Buffer>) {
    const names = Object.values(tables).sort();
    this.parts = names.map((table) => ({ table, database: environment.openDB(entriesName(table), binary) }));
    for (const part of this.parts) this.byTable.set(part.table ?? "", part);
    this.rest = { database: environment.openDB(entriesName(), binary) };
  }

  /** @throws what lmdb throws, as all here but `reader` */
  get(key: string): Buffer | undefined {
    return this.partOf(key).database.get(keyBytes(key));
  }

  /** All that it reads of the disk, it reads or throws a StorageError. */
  get reader(): KeyValueReader {
    return { get: (key) => reading(() => this.get(key)), range: (...asked) => this.readRange(...asked) };
  }

  /** To be called in a transaction or a batch. */
  put(key: string, value: Uint8Array): void {
    void this.partOf(key).database.put(keyBytes(key), asBuffer(value));
  }

  /** To be called in a transaction or a batch. */
  remove(key: string): void {
    void this.partOf(key).database.remove(keyBytes(key));
  }

  *range(start: string, end: string, options: RangeOptions = {}): Generator<readonly [key: string, value: Buffer]> {
    const { reverse = false, limit = Number.POSITIVE_INFINITY } = options;
    const pieces = this.pieces(start, end);
    let left = limit;
    for (const piece of reverse ? pieces.reverse() : pieces) {
      if (left <= 0) return;
      const bounds = boundsOf(piece, reverse);
      const most = left === Number.POSITIVE_INFINITY ? {} : { limit: left };
      for (const { key, value } of piece.part.database.getRange({ ...bounds, ...most })) {
        left--;
        yield [keyString(key), value];
      }
    }
  }

  /** All of them, in the byte order of their keys, as a read transaction sees them. */
  *all(transaction: Transaction): Generator<readonly [key: Buffer, value: Buffer]> {
    for (const { part, start, end } of this.pieces("\x00", "\xff")) {
      const bounds = { start: keyBytes(start), end: keyBytes(end) };
      for (const { key, value } of part.database.getRange({ ...bounds, transaction })) yield [key, value];
    }
  }

  get count(): number {
    return [...this.parts, this.rest].reduce((count, { database }) => count + database.getKeysCount(), 0);
  }

  clear(): void {
    for (const { database } of [...this.parts, this.rest]) {
      for (const _key of database.getKeys({ limit: 1 })) database.clearSync();
    }
  }

  private *readRange(...asked: Parameters<KeyValueReader["range"]>): ReturnType<Entries["range"]> {
    const found = this.range(...asked);
    try {
      for (;;) {
        const next = reading(() => found.next());
        if (next.done) return;
        yield next.value;
      }
    } finally {
      found.return(undefined);
    }
  }

  private partOf(key: string): Part {
    return this.byTable.get(key.slice(0, 2)) ?? this.rest;
  }

  /** The parts of a range in the order of their keys: what is of no table lies between the tables. */
  private pieces(start: string, end: string): Piece[] {
    const own = this.byTable.get(start.slice(0, 2));
    if (own?.table !== undefined && end <= after(own.table)) return [{ part: own, start, end }];
    const pieces: Piece[] = [];
    let from = start;
    for (const part of this.parts) {
      const table = part.table ?? "";
      if (after(table) <= from) continue;
      if (table >= end) break;
      if (from < table) {
        pieces.push({ part: this.rest, start: from, end: table });
        from = table;
      }
      const next = after(table);
      pieces.push({ part, start: from, end: end < next ? end : next });
      from = next;
    }
    if (from < end) pieces.push({ part: this.rest, start: from, end });
    return pieces;
  }
}

/** The first key after all of a table. */
function after(table: string): string {
  return table.slice(0, 1) + String.fromCharCode(table.charCodeAt(1) + 1);
}

/** Of a range from `start` on and before `end`. What is cut off a bound lies behind every key that begins like it. */
function boundsOf({ start, end }: Piece, reverse: boolean) {
  const first = keyBytes(start.slice(0, longestKey));
  const last = keyBytes(end.slice(0, longestKey));
  const withFirst = start.length <= longestKey;
  const withLast = end.length > longestKey;
  return reverse
    ? { start: last, exclusiveStart: !withLast, end: first, inclusiveEnd: withFirst, reverse }
    : { start: first, exclusiveStart: !withFirst, end: last, inclusiveEnd: withLast };
}
