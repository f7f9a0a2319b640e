import { ResponseFinalizeBlock } from "cosmjs-types/tendermint/abci/types";
import { Block } from "cosmjs-types/tendermint/types/block";
import { Commit } from "cosmjs-types/tendermint/types/types";
import { type Database, open, type RootDatabase } from "lmdb";
import { encode } from "../encode";
import { BoundedCache } from "../storage/bounded-cache";
import { sha256 } from "../storage/sha256";
import { blockEntries, transactionEntries } from "./event-index";

/** A block with all that is known about it. */
export interface StoredBlock {
  readonly block: Block;
  /** The commit that decided it, with its id. */
  readonly commit: Commit;
  readonly results: ResponseFinalizeBlock;
  readonly size: number;
}

export interface TransactionPlace {
  readonly height: bigint;
  readonly index: number;
}

const binary = { encoding: "binary", keyEncoding: "binary" } as const;
const heightLength = 8;

/**
 * Bytes of blocks that are kept as they are decoded. With its results a block in memory is more than ten times as large
 * as its bytes: by a number of blocks, full ones would take a gigabyte.
 */
const mostRecent = 1024 * 1024;
/** Weight of a block without transactions. */
const emptyBlock = 16 * 1024;

/** Blocks, their results, and the index by which transactions and events are found. One transaction a block. */
export class BlockStore {
  private readonly environment: RootDatabase<Buffer, Buffer>;
  private readonly blocks: Database<Buffer, Buffer>;
  private readonly commits: Database<Buffer, Buffer>;
  private readonly results: Database<Buffer, Buffer>;
  private readonly byHash: Database<Buffer, Buffer>;
  private readonly transactions: Database<Buffer, Buffer>;
  private readonly index: Database<Buffer, Buffer>;
  private readonly recent = new BoundedCache<bigint, StoredBlock>(mostRecent, weightOf);
  private first: bigint;
  private last: bigint;

  /** Keeps the newest `retention` blocks. Read-only: to look at a store that is there already. */
  constructor(
    path: string,
    private readonly retention: bigint,
    readOnly = false,
  ) {
    this.environment = open<Buffer, Buffer>({ path, ...binary, maxDbs: 8, overlappingSync: false, readOnly });
    this.blocks = this.environment.openDB("blocks", binary);
    this.commits = this.environment.openDB("commits", binary);
    this.results = this.environment.openDB("results", binary);
    this.byHash = this.environment.openDB("hashes", binary);
    this.transactions = this.environment.openDB("transactions", binary);
    this.index = this.environment.openDB("index", binary);
    this.first = this.edge(false);
    this.last = this.edge(true);
  }

  /** Height of the newest block; 0: none. */
  get height(): bigint {
    return this.last;
  }

  /** Height of the oldest block that is kept; 0: none. */
  get base(): bigint {
    return this.first;
  }

  /**
   * Writes a block with its results and its index, durably, and drops what is older than is to be kept.
   * @param executed height up to which blocks will never be executed again: only these are dropped. Absent: all
   */
  save(
    stored: StoredBlock,
    blockBytes: Uint8Array,
    hashes: readonly Uint8Array[],
    executed = stored.block.header.height,
  ): void {
    const height = stored.block.header.height;
    const key = heightKey(height);
    this.environment.transactionSync(() => {
      this.blocks.putSync(key, asBuffer(blockBytes));
      this.commits.putSync(key, asBuffer(encode(Commit, stored.commit)));
      this.results.putSync(key, asBuffer(encode(ResponseFinalizeBlock, stored.results)));
      this.byHash.putSync(asBuffer(stored.commit.blockId.hash), key);
      for (const [index, hash] of hashes.entries()) this.transactions.putSync(asBuffer(hash), placeKey(height, index));
      for (const entry of entriesOf(stored)) this.index.putSync(entry, nothing);
      // Two at a time, so that a shortened retention is caught up with and no block pays for it all.
      for (let drop = 0; drop < 2 && this.mayDrop(height, executed); drop++) this.dropFirst();
    });
    this.environment.resetReadTxn();
    this.recent.set(height, stored);
    this.last = height;
    if (this.first === 0n) this.first = height;
  }

  /** A block by height; undefined: not yet, or no longer kept. */
  at(height: bigint): StoredBlock | undefined {
    if (height < this.first || height > this.last || height <= 0n) return undefined;
    const known = this.recent.get(height);
    if (known !== undefined) return known;
    const stored = this.load(height);
    if (stored !== undefined) this.recent.set(height, stored);
    return stored;
  }

  heightOf(hash: Uint8Array): bigint | undefined {
    return isHash(hash) ? this.byHash.get(asBuffer(hash))?.readBigUInt64BE() : undefined;
  }

  /** Where a transaction is, by its SHA-256. */
  place(hash: Uint8Array): TransactionPlace | undefined {
    if (!isHash(hash)) return undefined;
    const bytes = this.transactions.get(asBuffer(hash));
    return bytes === undefined ? undefined : readPlace(bytes, 0);
  }

  /** Entries of the event index that begin with the prefix, without it. */
  *scan(prefix: Buffer): Iterable<Buffer> {
    const end = Buffer.concat([prefix, Buffer.alloc(1, 0xff)]);
    for (const { key } of this.index.getRange({ start: prefix, end })) yield key.subarray(prefix.length);
  }

  async close(): Promise<void> {
    await this.environment.close();
  }

  private load(height: bigint): StoredBlock | undefined {
    const key = heightKey(height);
    const block = this.blocks.get(key);
    const commit = this.commits.get(key);
    const results = this.results.get(key);
    if (block === undefined || commit === undefined || results === undefined) return undefined;
    return {
      block: Block.decode(block),
      commit: Commit.decode(commit),
      results: ResponseFinalizeBlock.decode(results),
      size: block.length,
    };
  }

  private mayDrop(height: bigint, executed: bigint): boolean {
    return this.first !== 0n && height - this.first >= this.retention && this.first <= executed;
  }

  private dropFirst(): void {
    const stored = this.load(this.first);
    const key = heightKey(this.first);
    if (stored !== undefined) {
      this.byHash.removeSync(asBuffer(stored.commit.blockId.hash));
      for (const entry of entriesOf(stored)) this.index.removeSync(entry);
    }
    for (const hash of stored === undefined ? [] : hashesOf(stored.block)) {
      if (this.place(hash)?.height === this.first) this.transactions.removeSync(hash);
    }
    for (const table of [this.blocks, this.commits, this.results]) table.removeSync(key);
    this.recent.delete(this.first);
    this.first += 1n;
  }

  private edge(reverse: boolean): bigint {
    for (const key of this.blocks.getKeys({ reverse, limit: 1 })) return key.readBigUInt64BE();
    return 0n;
  }
}

const nothing = Buffer.alloc(0);

function weightOf({ size }: StoredBlock): number {
  return emptyBlock + size;
}

function entriesOf(stored: StoredBlock): Buffer[] {
  const height = stored.block.header.height;
  const entries = blockEntries(stored.results.events, heightKey(height));
  for (const [index, result] of stored.results.txResults.entries()) {
    entries.push(...transactionEntries(result.events, placeKey(height, index)));
  }
  return entries;
}

function hashesOf(block: Block): Buffer[] {
  return block.data.txs.map((transaction) => sha256(transaction));
}

function heightKey(height: bigint): Buffer {
  const key = Buffer.alloc(heightLength);
  key.writeBigUInt64BE(height);
  return key;
}

function placeKey(height: bigint, index: number): Buffer {
  const key = Buffer.alloc(heightLength + 4);
  key.writeBigUInt64BE(height);
  key.writeUInt32BE(index, heightLength);
  return key;
}

export function readPlace(bytes: Buffer, at: number): TransactionPlace {
  return { height: bytes.readBigUInt64BE(at), index: bytes.readUInt32BE(at + heightLength) };
}

function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

/** What strangers ask for need not be one; lmdb throws for a key of no bytes, or of too many. */
function isHash(bytes: Uint8Array): boolean {
  return bytes.length === 32;
}
