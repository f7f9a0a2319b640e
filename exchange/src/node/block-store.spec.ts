import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ExecTxResult, ResponseFinalizeBlock } from "cosmjs-types/tendermint/abci/types";
import { Block } from "cosmjs-types/tendermint/types/block";
import { Commit } from "cosmjs-types/tendermint/types/types";
import { sha256 } from "../storage/sha256";
import { BlockStore, type StoredBlock } from "./block-store";
import { entryPrefix } from "./event-index";

let folder: string;
let store: BlockStore;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "dcx-blocks-"));
  store = new BlockStore(folder, 3n);
});

afterEach(async () => {
  await store.close();
  rmSync(folder, { recursive: true, force: true });
});

const transactionOf = (height: bigint) => Buffer.from(`transaction of block ${height}`);
const hashOf = (height: bigint) => sha256(Buffer.from(`block ${height}`));

/** A block with one transaction and an event of each, whose value is the same in all blocks. */
function save(height: bigint, target = store, executed?: bigint): void {
  const attributes = [{ key: "by", value: "alice", index: true }];
  const block = Block.fromPartial({ header: { height }, data: { txs: [transactionOf(height)] } });
  const stored: StoredBlock = {
    block,
    commit: Commit.fromPartial({ height, blockId: { hash: hashOf(height) } }),
    results: ResponseFinalizeBlock.fromPartial({
      events: [{ type: "timer", attributes }],
      txResults: [ExecTxResult.fromPartial({ events: [{ type: "paid", attributes }] })],
    }),
    size: 0,
  };
  target.save(stored, Block.encode(block).finish(), [sha256(transactionOf(height))], executed);
}

function indexed(kind: "transaction" | "block", key: string): bigint[] {
  return [...store.scan(entryPrefix(kind, key, "alice"))].map((place) => place.readBigUInt64BE());
}

describe("the block store", () => {
  test("keeps the newest blocks, and of older ones neither results nor hashes nor index", async () => {
    for (let height = 1n; height <= 10n; height++) save(height);
    expect([store.base, store.height]).toEqual([8n, 10n]);
    const kept = [8n, 9n, 10n];
    for (let height = 1n; height <= 10n; height++) {
      const there = kept.includes(height);
      expect([height, store.at(height) !== undefined]).toEqual([height, there]);
      expect([height, store.heightOf(hashOf(height))]).toEqual([height, there ? height : undefined]);
      const place = there ? { height, index: 0 } : undefined;
      expect([height, store.place(sha256(transactionOf(height)))]).toEqual([height, place]);
    }
    expect(indexed("transaction", "paid.by")).toEqual(kept);
    expect(indexed("block", "timer.by")).toEqual(kept);
    await store.close();
    store = new BlockStore(folder, 3n);
    expect([store.base, store.height]).toEqual([8n, 10n]);
    expect(store.at(8n)?.block.data.txs).toEqual([new Uint8Array(transactionOf(8n))]);
  });

  test("keeps what may have to be executed again, however old it is", () => {
    for (let height = 1n; height <= 6n; height++) save(height, store, 0n);
    expect([store.base, store.height]).toEqual([1n, 6n]);
    save(7n, store, 1n);
    expect([store.base, store.height]).toEqual([2n, 7n]);
    for (let height = 8n; height <= 12n; height++) save(height);
    expect([store.base, store.height]).toEqual([10n, 12n]);
  });

  test("catches up with a retention that was shortened, two blocks at a time", async () => {
    for (let height = 1n; height <= 3n; height++) save(height);
    await store.close();
    store = new BlockStore(folder, 1n);
    save(4n);
    expect(store.base).toBe(3n);
    save(5n);
    expect(store.base).toBe(5n);
    expect(indexed("transaction", "paid.by")).toEqual([5n]);
  });

  test("keeps the place of a transaction that a later block holds again", () => {
    save(1n);
    const again = Block.fromPartial({ header: { height: 2n }, data: { txs: [transactionOf(1n)] } });
    const stored = {
      block: again,
      commit: Commit.fromPartial({ height: 2n, blockId: { hash: hashOf(2n) } }),
      results: ResponseFinalizeBlock.fromPartial({ txResults: [ExecTxResult.fromPartial({})] }),
      size: 0,
    };
    store.save(stored, Block.encode(again).finish(), [sha256(transactionOf(1n))]);
    save(3n);
    save(4n);
    expect(store.base).toBe(2n);
    expect(store.place(sha256(transactionOf(1n)))).toEqual({ height: 2n, index: 0 });
  });
});
