import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { SignedChain } from "../../application/testing/signed-chain";
import type { WorldOptions } from "../../state/testing/genesis";
import { terms, World } from "../../state/testing/world";
import { BlockStore } from "../block-store";
import { ChainEvents } from "../events";
import { Mempool } from "../mempool/mempool";
import { Chain } from "./chain";
import { Producer } from "./producer";
import { loadOrCreateValidatorKey } from "./validator-key";

const interval = 500;
const idleInterval = 5_000;
const attention = 30_000;
const world: WorldOptions = {
  accounts: { alice: 1_000_000n },
  parameters: { minimumGasPrice: "0", blockInterval: BigInt(interval) },
};

let home: string;
let signed: SignedChain;
let store: BlockStore;
let mempool: Mempool;
let producer: Producer;

beforeEach(() => {
  // performance.now() goes with the timers.
  jest.useFakeTimers();
  home = mkdtempSync(join(tmpdir(), "dcx-producer-"));
  signed = new SignedChain(join(home, "state"), world);
  store = new BlockStore(join(home, "blocks"), 1_000n);
  const { application } = signed;
  const chain = new Chain(application, store, loadOrCreateValidatorKey(join(home, "validator.json")), Date.now());
  mempool = new Mempool(application, { transactions: 10, bytes: 100_000 }, () => producer.wake());
  producer = new Producer(application, chain, mempool, new ChainEvents(), { idleInterval, attention }, (error) => {
    throw error;
  });
  producer.startNow();
});

afterEach(async () => {
  producer.stop();
  jest.useRealTimers();
  await store.close();
  await signed.application.close();
  rmSync(home, { recursive: true, force: true });
});

/** How many blocks are made within these milliseconds. */
function blocksWithin(milliseconds: number): bigint {
  const before = store.height;
  jest.advanceTimersByTime(milliseconds);
  return store.height - before;
}

const submission = () => {
  const pure = new World(world);
  pure.deploy("alice", [terms("west")]);
  const [attempt] = pure.attempts;
  if (attempt === undefined) throw new Error("nothing was deployed");
  return attempt;
};

describe("a chain on which nothing happens", () => {
  test("makes a block only now and then", () => {
    expect(store.height).toBe(1n);
    expect(blocksWithin(idleInterval - 1)).toBe(0n);
    expect(blocksWithin(1)).toBe(1n);
    expect(blocksWithin(10 * idleInterval)).toBe(10n);
  });

  test("takes a transaction at once after a pause, and goes on at its pace while an order is open", () => {
    blocksWithin(3_000);
    expect(mempool.offer(signed.sign(submission())).code).toBe(0);
    expect(blocksWithin(1)).toBe(1n);
    expect(mempool.size).toBe(0);
    expect(blocksWithin(20 * interval)).toBe(20n);
  });

  test("keeps its pace for a while when somebody asks after a transaction", () => {
    producer.attend();
    expect(blocksWithin(attention)).toBe(BigInt(attention / interval));
    // The last one that was under way, then the pauses again.
    blocksWithin(idleInterval);
    expect(blocksWithin(2 * idleInterval)).toBe(2n);
  });
});

test("however much is sent, no block comes sooner, and none to catch up", () => {
  expect(mempool.offer(signed.sign(submission())).code).toBe(0);
  expect(blocksWithin(interval - 1)).toBe(0n);
  for (let asked = 0; asked < 100; asked++) {
    producer.wake();
    producer.attend();
  }
  expect(blocksWithin(1)).toBe(1n);
  expect(blocksWithin(interval - 1)).toBe(0n);
});
