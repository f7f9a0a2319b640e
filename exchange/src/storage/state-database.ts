import { rmSync } from "node:fs";
import type { CommitmentProof } from "cosmjs-types/cosmos/ics23/v1/proofs";
import { type Database, open, type RootDatabase } from "lmdb";
import type { KeyValueReader, RangeOptions } from "../state/store";
import { BoundedCache } from "./bounded-cache";
import { asBuffer, keyBytes, keyString, longestKey, pageKey } from "./keys";
import { Page } from "./page";
import { proveKey } from "./proof";
import { Restoration } from "./restoration";
import { StorageError } from "./storage-error";
import { bytesOf, provable, type TreeUpdate, updateTree } from "./tree";

/** The block that the committed state is the outcome of. */
export interface CommittedBlock {
  readonly height: bigint;
  readonly appHash: Uint8Array;
}

/** Changes that are worked out but not written: the committed state is as it was. */
export interface PreparedBlock {
  readonly height: bigint;
  readonly appHash: Buffer;
  readonly changes: readonly (readonly [key: string, value: Uint8Array | undefined])[];
  readonly tree: TreeUpdate;
}

export interface StateDatabaseOptions {
  readonly path: string;
  /** Most decoded pages of the tree kept in memory, about 2 KiB each. */
  readonly cachedPages?: number;
  /** Most state values kept in memory. */
  readonly cachedValues?: number;
  /** To look at it only, where it is there already. */
  readonly readOnly?: boolean;
}

const absent = Symbol("absent");
export const heightKey = Buffer.from("height");
const appHashKey = Buffer.from("app-hash");

/**
 * The committed state: entries, tree and height, changed together by one transaction a block. It only ever shows the
 * last committed block; what a block in progress wrote is in a branch above it.
 */
export class StateDatabase implements KeyValueReader {
  private readonly environment: RootDatabase<Buffer, Buffer>;
  private readonly entries: Database<Buffer, Buffer>;
  private readonly pages: Database<Buffer, Buffer>;
  private readonly meta: Database<Buffer, Buffer>;
  private readonly pageCache: BoundedCache<string, Page>;
  private readonly valueCache: BoundedCache<string, Buffer | typeof absent>;
  private committed: CommittedBlock | undefined;

  constructor(private readonly options: StateDatabaseOptions) {
    this.environment = open<Buffer, Buffer>({
      path: options.path,
      encoding: "binary",
      keyEncoding: "binary",
      maxDbs: 4,
      readOnly: options.readOnly ?? false,
      // A commit has returned only when it is on the disk.
      overlappingSync: false,
    });
    const binary = { encoding: "binary", keyEncoding: "binary" } as const;
    this.entries = this.environment.openDB("entries", binary);
    this.pages = this.environment.openDB("pages", binary);
    this.meta = this.environment.openDB("meta", binary);
    this.pageCache = new BoundedCache(options.cachedPages ?? 20_000);
    this.valueCache = new BoundedCache(options.cachedValues ?? 50_000);
    const height = this.meta.get(heightKey);
    const appHash = this.meta.get(appHashKey);
    if (height !== undefined && appHash !== undefined) {
      this.committed = { height: height.readBigUInt64BE(), appHash };
    }
    if (options.readOnly !== true) this.dropUncommitted();
  }

  /** Height and app hash of the last commit; undefined before the first. */
  get last(): CommittedBlock | undefined {
    return this.committed;
  }

  get(key: string): Uint8Array | undefined {
    if (key.length === 0 || key.length > longestKey) return undefined;
    const cached = this.valueCache.get(key);
    if (cached !== undefined) return cached === absent ? undefined : cached;
    const value = reading(() => this.entries.get(keyBytes(key)));
    this.valueCache.set(key, value ?? absent);
    return value;
  }

  *range(start: string, end: string, options: RangeOptions = {}): Iterable<readonly [string, Uint8Array]> {
    if (start >= end || options.limit === 0) return;
    const limit = options.limit === undefined ? {} : { limit: options.limit };
    const bounds = boundsOf(start, end, options.reverse === true);
    const entries = reading(() => this.entries.getRange({ ...bounds, ...limit })[Symbol.iterator]());
    try {
      for (;;) {
        const next = reading(() => entries.next());
        if (next.done) return;
        yield [keyString(next.value.key), next.value.value];
      }
    } finally {
      entries.return?.();
    }
  }

  page(path: string): Page | undefined {
    const cached = this.pageCache.get(path);
    if (cached !== undefined) return cached;
    const bytes = reading(() => this.pages.get(pageKey(path)));
    if (bytes === undefined) return undefined;
    const page = Page.decode(bytes);
    this.pageCache.set(path, page);
    return page;
  }

  /** Works out the app hash that these changes (undefined: delete) lead to. Writes nothing. */
  prepare(height: bigint, changes: Iterable<readonly [key: string, value: Uint8Array | undefined]>): PreparedBlock {
    const list = [...changes];
    const tree = updateTree(
      this,
      list.map(([key, value]) => [key, value === undefined ? undefined : provable(value)]),
    );
    return { height, appHash: tree.root, changes: list, tree };
  }

  /** Makes the prepared changes the committed state, on the disk, all or nothing. */
  commit(prepared: PreparedBlock): void {
    // What throws in here leaves disk and memory as they were; the application stops the node.
    this.environment.transactionSync(() => {
      for (const [key, value] of prepared.changes) {
        if (value === undefined) this.entries.removeSync(keyBytes(key));
        else this.entries.putSync(keyBytes(key), asBuffer(value));
      }
      for (const [path, page] of prepared.tree.pages) {
        if (page === undefined) this.pages.removeSync(pageKey(path));
        else this.pages.putSync(pageKey(path), page.encode());
      }
      this.putCommitted(prepared);
    });
    this.environment.resetReadTxn();
    // After the write: what throws above leaves memory as it was.
    for (const [key, value] of prepared.changes) {
      this.valueCache.set(key, value === undefined ? absent : asBuffer(value));
    }
    for (const [path, page] of prepared.tree.pages) {
      if (page === undefined) this.pageCache.delete(path);
      else this.pageCache.set(path, page);
    }
    this.committed = { height: prepared.height, appHash: prepared.appHash };
  }

  /** Drops what a restoration has left that came to no end: without a committed block nothing else is there. */
  dropUncommitted(): void {
    rmSync(this.restorationFolder, { recursive: true, force: true });
    if (this.committed !== undefined) return;
    for (const table of [this.entries, this.pages]) {
      if (!isEmpty(table)) table.clearSync();
    }
    this.environment.resetReadTxn();
    this.pageCache.clear();
    this.valueCache.clear();
  }

  /**
   * Begins to take the committed state from elsewhere. What an earlier restoration has taken is dropped.
   * @throws where there is a state already
   */
  beginRestoration(): Restoration {
    if (this.committed !== undefined) {
      throw new Error(`there is a state of height ${this.committed.height} already: nothing can be restored over it`);
    }
    this.dropUncommitted();
    const { environment, entries, pages } = this;
    return new Restoration({ environment, entries, pages }, this.restorationFolder);
  }

  /**
   * Makes what was taken the committed state.
   * @returns false where it leads to another app hash: all of it is dropped then
   */
  finishRestoration(restoration: Restoration, height: bigint, appHash: Uint8Array): boolean {
    if (Buffer.compare(restoration.finish(), appHash) !== 0) {
      this.dropUncommitted();
      return false;
    }
    this.environment.transactionSync(() => this.putCommitted({ height, appHash }));
    this.environment.resetReadTxn();
    this.pageCache.clear();
    this.valueCache.clear();
    this.committed = { height, appHash: Buffer.from(appHash) };
    return true;
  }

  /** An ics23 proof against the committed app hash that the key has its value, or is not there. */
  prove(key: string): CommitmentProof {
    return proveKey(
      this,
      (one) => {
        const value = this.get(one);
        return value === undefined ? undefined : provable(value);
      },
      key,
    );
  }

  /** Root of the committed tree, worked out from its pages. */
  root(): Uint8Array {
    return bytesOf(this.page("")?.root() ?? null);
  }

  /**
   * Works the tree out again from the entries alone, and compares it with what is stored: a sentence for each difference.
   * PERF: O(state), for operators and tests.
   */
  treeProblems(): string[] {
    if (this.committed === undefined) return ["there is no committed block"];
    const entries = [...this.range("\x00", "\xff")];
    const nothing = { page: () => undefined };
    const tree = updateTree(
      nothing,
      entries.map(([key, value]) => [key, provable(value)]),
    );
    const problems: string[] = [];
    const { appHash } = this.committed;
    if (Buffer.compare(tree.root, appHash) !== 0) {
      const stored = asBuffer(appHash).toString("hex");
      problems.push(`app hash: ${stored} is stored, the entries lead to ${tree.root.toString("hex")}`);
    }
    for (const [path, page] of tree.pages) {
      const stored = reading(() => this.pages.get(pageKey(path)));
      const same = page === undefined ? stored === undefined : stored !== undefined && page.encode().equals(stored);
      if (!same) problems.push(`tree: the page at "${path}" is not what the entries lead to`);
    }
    const count = [...tree.pages.values()].filter((page) => page !== undefined).length;
    const found = [...this.pages.getKeys()].length;
    if (count !== found) problems.push(`tree: ${found} pages are stored, the entries lead to ${count}`);
    return problems;
  }

  async close(): Promise<void> {
    await this.environment.close();
  }

  private putCommitted({ height, appHash }: CommittedBlock): void {
    const bytes = Buffer.alloc(8);
    bytes.writeBigUInt64BE(height);
    this.meta.putSync(heightKey, bytes);
    this.meta.putSync(appHashKey, asBuffer(appHash));
  }

  private get restorationFolder(): string {
    return `${this.options.path}-restoration`;
  }
}

function isEmpty(table: Database<Buffer, Buffer>): boolean {
  for (const _key of table.getKeys({ limit: 1 })) return false;
  return true;
}

/** Of a range from `start` on and before `end`. What is cut off a bound lies behind every key that begins like it. */
function boundsOf(start: string, end: string, reverse: boolean) {
  const first = keyBytes(start.slice(0, longestKey));
  const last = keyBytes(end.slice(0, longestKey));
  const withFirst = start.length <= longestKey;
  const withLast = end.length > longestKey;
  return reverse
    ? { start: last, exclusiveStart: !withLast, end: first, inclusiveEnd: withFirst, reverse }
    : { start: first, exclusiveStart: !withFirst, end: last, inclusiveEnd: withLast };
}

function reading<T>(read: () => T): T {
  try {
    return read();
  } catch (error) {
    throw new StorageError("reading the state database failed: check the disk, then start the node again", {
      cause: error,
    });
  }
}
