import { rmSync } from "node:fs";
import type { CommitmentProof } from "cosmjs-types/cosmos/ics23/v1/proofs";
import { type Database, open, type RootDatabase } from "lmdb";
import { Branch } from "../state/branch";
import type { KeyValueReader, RangeOptions } from "../state/store";
import { BoundedCache } from "./bounded-cache";
import { Entries, mostDatabases } from "./entries";
import { asBuffer, longestKey } from "./keys";
import { proveKey } from "./proof";
import { Restoration } from "./restoration";
import { reading, StorageError } from "./storage-error";
import { StoredTree } from "./stored-tree";
import { provable, type TreeUpdate, updateTree } from "./tree";
import { checkTree } from "./tree-check";
import { type StateWrite, WriteBehind } from "./write-behind";

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
  /** Most decoded pages of the tree kept in memory besides its first levels, about 2 KiB each. */
  readonly cachedPages?: number;
  /** Most state values kept in memory. */
  readonly cachedValues?: number;
  /** To look at it only, where it is there already. */
  readonly readOnly?: boolean;
  /**
   * Whether a commit returns before it is on the disk: for those who have the block itself there, and execute again what the
   * state lacks. Default: it is there when it has returned.
   */
  readonly writeBehind?: boolean;
}

const absent = Symbol("absent");
export const heightKey = Buffer.from("height");
const appHashKey = Buffer.from("app-hash");

/**
 * The committed state: entries, tree and height, changed together, on the disk too: that has one block's or an earlier one's. It
 * only ever shows the last committed block; what a block in progress wrote is in a branch above it.
 */
export class StateDatabase implements KeyValueReader {
  private readonly environment: RootDatabase<Buffer, Buffer>;
  private readonly entries: Entries;
  private readonly records: Database<Buffer, Buffer>;
  private readonly meta: Database<Buffer, Buffer>;
  private readonly tree: StoredTree;
  private readonly valueCache: BoundedCache<string, Buffer | typeof absent>;
  /** The entries in lmdb, and above them those that are committed and not there yet. */
  private readonly unwritten: Branch;
  private readonly behind: WriteBehind | undefined;
  private committed: CommittedBlock | undefined;
  private onDisk = 0n;

  constructor(private readonly options: StateDatabaseOptions) {
    this.environment = open<Buffer, Buffer>({
      path: options.path,
      encoding: "binary",
      keyEncoding: "binary",
      maxDbs: mostDatabases,
      readOnly: options.readOnly ?? false,
      // A commit has returned only when it is on the disk.
      overlappingSync: false,
    });
    const binary = { encoding: "binary", keyEncoding: "binary" } as const;
    this.entries = new Entries(this.environment);
    this.records = this.environment.openDB("tree", binary);
    this.meta = this.environment.openDB("meta", binary);
    this.tree = new StoredTree(this.records, options.cachedPages ?? 20_000);
    this.valueCache = new BoundedCache(options.cachedValues ?? 50_000);
    this.unwritten = new Branch(this.entries.reader);
    if (options.writeBehind === true) {
      this.behind = new WriteBehind(
        (one) => this.writeInBackground(one),
        (one) => this.settle(one),
      );
    }
    const height = this.meta.get(heightKey);
    const appHash = this.meta.get(appHashKey);
    if (height !== undefined && appHash !== undefined) {
      this.committed = { height: height.readBigUInt64BE(), appHash };
      this.onDisk = this.committed.height;
    }
    if (options.readOnly === true) return;
    this.dropUncommitted();
    if (this.committed !== undefined && Buffer.compare(this.root(), this.committed.appHash) !== 0) {
      throw new StorageError(
        `the tree in ${options.path} does not lead to the app hash of block ${this.committed.height}: it is damaged, or ` +
          "another version of dcx has written it; look at it with `dcx node check`, and begin anew from a snapshot",
      );
    }
  }

  /** Height and app hash of the last commit; undefined before the first. */
  get last(): CommittedBlock | undefined {
    return this.committed;
  }

  get(key: string): Uint8Array | undefined {
    if (key.length === 0 || key.length > longestKey) return undefined;
    const cached = this.valueCache.get(key);
    if (cached !== undefined) return cached === absent ? undefined : cached;
    const value = this.unwritten.get(key);
    this.valueCache.set(key, value === undefined ? absent : asBuffer(value));
    return value;
  }

  range(start: string, end: string, options: RangeOptions = {}): Iterable<readonly [string, Uint8Array]> {
    if (start >= end || options.limit === 0) return [];
    return this.unwritten.range(start, end, options);
  }

  /** Works out the app hash that these changes (undefined: delete) lead to. Writes nothing. */
  prepare(height: bigint, changes: Iterable<readonly [key: string, value: Uint8Array | undefined]>): PreparedBlock {
    const list = [...changes];
    const tree = updateTree(
      this.tree,
      list.map(([key, value]) => [key, value === undefined ? undefined : provable(value)]),
    );
    return { height, appHash: tree.root, changes: list, tree };
  }

  /**
   * Makes the prepared changes the committed state, all or nothing: on the disk, or on their way there.
   * @throws what the disk does, to this or to an earlier commit: disk and memory are as they were; the application stops the node
   */
  commit({ height, appHash, changes, tree }: PreparedBlock): void {
    const block = { height, appHash };
    const one: StateWrite = {
      block,
      entries: new Map(changes),
      records: this.tree.recordsOf(tree),
      pages: tree.pages,
    };
    if (this.behind === undefined) {
      this.environment.transactionSync(() => this.put(one));
      this.environment.resetReadTxn();
      this.onDisk = height;
    } else {
      this.behind.add(one);
      for (const [key, value] of one.entries) {
        if (value === undefined) this.unwritten.delete(key);
        else this.unwritten.set(key, value);
      }
    }
    // After the write: what throws above leaves memory as it was.
    for (const [key, value] of one.entries) {
      this.valueCache.set(key, value === undefined ? absent : asBuffer(value));
    }
    this.tree.keep(tree, this.behind === undefined ? "written" : "behind");
    this.committed = block;
  }

  /** Height of the state on the disk: with what a crash now leaves one goes on from there. */
  get writtenHeight(): bigint {
    return this.onDisk;
  }

  /** Resolves once all that is committed is on the disk. Rejects with what keeps it from that. */
  async written(): Promise<void> {
    await this.behind?.written();
  }

  /** Drops what a restoration has left that came to no end: without a committed block nothing else is there. */
  dropUncommitted(): void {
    rmSync(this.restorationFolder, { recursive: true, force: true });
    if (this.committed !== undefined) return;
    this.entries.clear();
    for (const _key of this.records.getKeys({ limit: 1 })) this.records.clearSync();
    this.environment.resetReadTxn();
    this.tree.reset();
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
    const { environment, entries, tree } = this;
    return new Restoration({ environment, entries, tree }, this.restorationFolder);
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
    this.tree.reset();
    this.valueCache.clear();
    this.committed = { height, appHash: Buffer.from(appHash) };
    this.onDisk = height;
    return true;
  }

  /** An ics23 proof against the committed app hash that the key has its value, or is not there. */
  prove(key: string): CommitmentProof {
    return proveKey(
      this.tree,
      (one) => {
        const value = this.get(one);
        return value === undefined ? undefined : provable(value);
      },
      key,
    );
  }

  /** Root of the committed tree, worked out from its pages. */
  root(): Uint8Array {
    return this.tree.root();
  }

  /**
   * Works the tree out again from the entries, and compares it with what is stored: a sentence for each difference.
   * PERF: O(state) time, for operators and tests.
   */
  treeProblems(): string[] {
    if (this.committed === undefined) return ["there is no committed block"];
    const { root, leaves, records, problems } = checkTree(this.tree, (key) => reading(() => this.entries.get(key)));
    const found: string[] = [];
    const { appHash } = this.committed;
    if (Buffer.compare(root, appHash) !== 0) {
      const stored = asBuffer(appHash).toString("hex");
      found.push(`app hash: ${stored} is stored, the entries lead to ${root.toString("hex")}`);
    }
    const entries = reading(() => this.entries.count);
    if (entries !== leaves) found.push(`tree: it has ${leaves} leaves, there are ${entries} entries`);
    const stored = reading(() => this.records.getKeysCount());
    if (stored !== records) found.push(`tree: ${stored} records are stored, it has ${records}`);
    return [...found, ...problems];
  }

  /** Resolves once all is on the disk and the database closed. Rejects, closed, with what keeps it from that. */
  async close(): Promise<void> {
    try {
      await this.written();
    } finally {
      await this.environment.close();
    }
  }

  private async writeInBackground(one: StateWrite): Promise<void> {
    try {
      await this.environment.batch(() => this.put(one));
    } catch (error) {
      const { path } = this.options;
      const cause = await reasonOf(error);
      throw new StorageError(
        `the state of block ${one.block.height} could not be written to ${path}: ${cause instanceof Error ? cause.message : cause}; ` +
          "nothing committed is lost: mend that, then start the node again",
        { cause },
      );
    }
  }

  /** To be called in a transaction or a batch. */
  private put({ block, entries, records }: StateWrite): void {
    for (const [key, value] of entries) {
      if (value === undefined) this.entries.remove(key);
      else this.entries.put(key, value);
    }
    this.tree.write(records);
    this.putCommitted(block);
  }

  /** What is read comes from the disk from now on. */
  private settle({ block, entries, pages }: StateWrite): void {
    this.environment.resetReadTxn();
    this.onDisk = block.height;
    for (const [key, value] of entries) this.unwritten.settle(key, value);
    this.tree.settle(pages);
  }

  private putCommitted({ height, appHash }: CommittedBlock): void {
    const bytes = Buffer.alloc(8);
    bytes.writeBigUInt64BE(height);
    void this.meta.put(heightKey, bytes);
    void this.meta.put(appHashKey, asBuffer(appHash));
  }

  private get restorationFolder(): string {
    return `${this.options.path}-restoration`;
  }
}

/** Of a commit that failed in its thread lmdb has the reason in a promise beside the error. */
async function reasonOf(error: unknown): Promise<unknown> {
  if (!(error instanceof Error) || !("commitError" in error)) return error;
  try {
    await error.commitError;
    return error;
  } catch (reason) {
    return reason;
  }
}
