import { createHash } from "node:crypto";
import fc from "fast-check";
import {
  InsufficientFunds,
  NetworkUnreachable,
  QueryFailed,
  TransactionFailed,
  type TransactionFailure,
  TransactionOutcomeUnknown,
  TransactionRejected,
} from "./errors";
import type { BroadcastVerdict, CommittedTransaction } from "./exchange-query-client";
import { type SequenceAt, Sequences } from "./sequences";
import {
  type DeliveryLimits,
  deliverTransaction,
  type Sign,
  type SignedTransaction,
  type TransactionGateway,
} from "./transaction-delivery";

const accepted = { abciCode: 0, codespace: "", log: "" };
const down = () => new NetworkUnreachable(["http://node"], ["connection refused"]);
const limits: DeliveryLimits = { address: "dcx1tenant", patience: 60_000, attempts: 5 };
const timeoutBlocks = 10n;

interface Waiting {
  readonly hash: string;
  readonly bytes: Uint8Array;
  readonly sequence: bigint;
  readonly timeoutHeight: bigint;
}

/** A node and its chain in memory: sequences, a mempool and blocks as CometBFT and the SDK have them. */
class FakeExchange implements TransactionGateway {
  height = 100n;
  committed = 7n;
  private clock = 0;
  readonly mempool = new Map<string, Waiting>();
  private readonly blocks = new Map<bigint, CommittedTransaction[]>();
  /** Runs in place of the ordinary broadcast, one for each, in order. */
  readonly broadcasts: ((accept: () => BroadcastVerdict) => BroadcastVerdict)[] = [];
  /** Runs after each block. */
  readonly afterBlock: (() => void)[] = [];
  /** Whether blocks take the mempool's transactions in. */
  roomInBlocks = true;
  indexed = true;
  outcome: TransactionFailure = accepted;
  /** In place of `outcome`, one for each transaction, in order. */
  readonly outcomes: TransactionFailure[] = [];
  reachable = true;
  /** How many times blocks can't be read. */
  unreadable = 0;
  sent = 0;

  async sequence(): Promise<SequenceAt> {
    this.requireReachable();
    return { sequence: this.committed, height: this.height };
  }

  async broadcast(bytes: Uint8Array): Promise<BroadcastVerdict> {
    this.requireReachable();
    this.sent += 1;
    const accept = () => this.check(bytes);
    return (this.broadcasts.shift() ?? ((take) => take()))(accept);
  }

  async transaction(hash: string): Promise<CommittedTransaction | undefined> {
    this.requireReachable();
    return this.indexed ? this.counted().find((transaction) => transaction.hash === hash) : undefined;
  }

  async blockTransactions(height: bigint): Promise<readonly CommittedTransaction[]> {
    this.requireReachable();
    if (this.unreadable > 0) {
      this.unreadable -= 1;
      throw new QueryFailed("block", -32603, `height ${height} is not available`);
    }
    return this.blocks.get(height) ?? [];
  }

  async nextBlock(): Promise<void> {
    this.clock += 500;
    await new Promise((resolve) => setImmediate(resolve));
    this.requireReachable();
    this.makeBlock();
    this.afterBlock.shift()?.();
  }

  now(): number {
    return this.clock;
  }

  /** Another program with the same key: its transaction gets into the next block before ours. */
  useSequenceElsewhere(): void {
    this.committed += 1n;
  }

  restart(): void {
    this.mempool.clear();
  }

  counted(): CommittedTransaction[] {
    return [...this.blocks.values()].flat();
  }

  makeBlock(): void {
    this.height += 1n;
    if (!this.roomInBlocks) return;
    const block: CommittedTransaction[] = [];
    for (const waiting of this.mempool.values()) {
      if (waiting.sequence !== this.committed || waiting.timeoutHeight < this.height) continue;
      this.committed += 1n;
      block.push({
        ...(this.outcomes.shift() ?? this.outcome),
        hash: waiting.hash,
        height: this.height,
        index: block.length,
        gasWanted: 0n,
        gasUsed: 0n,
        data: new Uint8Array(),
        transaction: waiting.bytes,
        events: [],
      });
    }
    this.mempool.clear();
    this.blocks.set(this.height, block);
  }

  private check(bytes: Uint8Array): BroadcastVerdict {
    const { sequence, timeoutHeight } = JSON.parse(Buffer.from(bytes).toString());
    const hash = hashOf(bytes);
    if (this.mempool.has(hash)) return { abciCode: 19, codespace: "sdk", log: "tx already in mempool" };
    if (this.height > BigInt(timeoutHeight)) return { abciCode: 30, codespace: "sdk", log: "tx timeout height" };
    // As the SDK's check state: sequences of what waits already are used.
    let expected = this.committed;
    while ([...this.mempool.values()].some((waiting) => waiting.sequence === expected)) expected += 1n;
    if (BigInt(sequence) !== expected) {
      return {
        abciCode: 32,
        codespace: "sdk",
        log: `account sequence mismatch, expected ${expected}, got ${sequence}`,
      };
    }
    this.mempool.set(hash, { hash, bytes, sequence: BigInt(sequence), timeoutHeight: BigInt(timeoutHeight) });
    return accepted;
  }

  private requireReachable(): void {
    if (!this.reachable) throw down();
  }
}

function hashOf(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex").toUpperCase();
}

/** A signer that remembers what it signed. `payload` is what is to be delivered. */
function signer(payload = ""): { readonly sign: Sign; readonly signed: (SequenceAt & SignedTransaction)[] } {
  const signed: (SequenceAt & SignedTransaction)[] = [];
  const sign: Sign = async (at, attempt) => {
    const timeoutHeight = at.height + timeoutBlocks;
    const text = JSON.stringify({ sequence: `${at.sequence}`, timeoutHeight: `${timeoutHeight}`, attempt, payload });
    const bytes = Buffer.from(text);
    const transaction = { bytes, hash: hashOf(bytes), timeoutHeight };
    signed.push({ ...at, ...transaction });
    return transaction;
  };
  return { sign, signed };
}

let exchange: FakeExchange;
let key: ReturnType<typeof signer>;

beforeEach(() => {
  exchange = new FakeExchange();
  key = signer();
});

function deliver(changes: Partial<DeliveryLimits> = {}): Promise<CommittedTransaction> {
  return deliverTransaction(exchange, key.sign, { ...limits, ...changes });
}

describe("a transaction", () => {
  it("is signed once and found in its block", async () => {
    const transaction = await deliver();
    expect(transaction).toMatchObject({ height: 101n, hash: key.signed[0]?.hash });
    expect(key.signed).toHaveLength(1);
    expect(exchange.sent).toBe(1);
  });

  it("counts once when the answer to its broadcast is lost", async () => {
    exchange.broadcasts.push((accept) => {
      accept();
      throw down();
    });
    await deliver();
    expect(exchange.counted()).toHaveLength(1);
    expect(key.signed).toHaveLength(1);
  });

  it("counts once when its broadcast is lost on the way", async () => {
    exchange.broadcasts.push(() => {
      throw down();
    });
    await deliver();
    expect(exchange.counted()).toHaveLength(1);
    expect(key.signed).toHaveLength(1);
  });

  it("counts once when it was committed, the answer lost, the node restarted and its index is behind", async () => {
    exchange.indexed = false;
    exchange.broadcasts.push((accept) => {
      accept();
      exchange.makeBlock();
      exchange.restart();
      throw down();
    });
    // The second broadcast meets a sequence that the first has used.
    const transaction = await deliver();
    expect(transaction).toMatchObject({ height: 101n, hash: key.signed[0]?.hash });
    expect(exchange.counted()).toHaveLength(1);
    expect(key.signed).toHaveLength(1);
  });

  it("is offered again after the node has lost its mempool", async () => {
    exchange.roomInBlocks = false;
    exchange.afterBlock.push(
      () => exchange.restart(),
      () => {
        exchange.roomInBlocks = true;
      },
    );
    await deliver();
    expect(exchange.sent).toBeGreaterThan(1);
    expect(key.signed).toHaveLength(1);
  });

  it("waits for room in a full mempool", async () => {
    const full = () => ({ abciCode: 20, codespace: "sdk", log: "mempool is full" });
    exchange.broadcasts.push(full, full, full);
    await deliver();
    expect(exchange.sent).toBe(4);
    expect(key.signed).toHaveLength(1);
  });

  it("is signed with the next sequence when another program used its own, and only then", async () => {
    exchange.broadcasts.push(() => {
      exchange.useSequenceElsewhere();
      return { abciCode: 32, codespace: "sdk", log: "account sequence mismatch, expected 8, got 7" };
    });
    await deliver();
    expect(key.signed.map(({ sequence }) => sequence)).toEqual([7n, 8n]);
    expect(exchange.counted()).toHaveLength(1);
  });

  it("keeps its sequence while another program's transaction waits with the same one", async () => {
    const waiting = () => ({ abciCode: 32, codespace: "sdk", log: "account sequence mismatch, expected 8, got 7" });
    exchange.broadcasts.push(waiting, waiting);
    await deliver();
    expect(key.signed.map(({ sequence }) => sequence)).toEqual([7n]);
  });

  it("is signed again with the same sequence when its timeout height has passed", async () => {
    exchange.roomInBlocks = false;
    exchange.afterBlock.push(...Array.from({ length: 11 }, () => () => undefined));
    exchange.afterBlock[10] = () => {
      exchange.roomInBlocks = true;
    };
    await deliver();
    expect(key.signed.map(({ sequence }) => sequence)).toEqual([7n, 7n]);
    expect(key.signed.map(({ timeoutHeight }) => timeoutHeight)).toEqual([110n, 120n]);
    expect(exchange.counted()).toHaveLength(1);
  });

  it("is not taken for one that counted when it was in a block with a wrong sequence", async () => {
    exchange.outcome = { abciCode: 32, codespace: "sdk", log: "account sequence mismatch" };
    exchange.afterBlock.push(() => {
      exchange.outcome = accepted;
    });
    await deliver();
    expect(key.signed.map(({ sequence }) => sequence)).toEqual([7n, 8n]);
  });

  it("is followed over a time without network", async () => {
    exchange.broadcasts.push((accept) => {
      accept();
      exchange.reachable = false;
      setTimeout(() => {
        exchange.reachable = true;
      }, 5);
      throw down();
    });
    await deliver({ patience: Number.POSITIVE_INFINITY });
    expect(exchange.counted()).toHaveLength(1);
    expect(key.signed).toHaveLength(1);
  });
});

describe("the outcome", () => {
  it("is a rejection when the first mempool refuses it", async () => {
    exchange.broadcasts.push(() => ({ abciCode: 9, codespace: "dcx", log: "deployment 41 has revision 13, not 12" }));
    const failure = await deliver().catch((error: unknown) => error);
    expect(failure).toBeInstanceOf(TransactionRejected);
    expect(failure).toMatchObject({ exchangeCode: 9, hash: key.signed[0]?.hash });
    expect(String(failure)).toContain("deployment 41 has revision 13, not 12");
  });

  it("is never a rejection while an earlier offer may still count", async () => {
    exchange.roomInBlocks = false;
    exchange.broadcasts.push(
      (accept) => {
        accept();
        throw down();
      },
      () => {
        exchange.roomInBlocks = true;
        return { abciCode: 5, codespace: "sdk", log: "spendable balance is smaller" };
      },
    );
    const transaction = await deliver();
    expect(transaction.hash).toBe(key.signed[0]?.hash);
  });

  it("is a rejection in the end when an offer was refused after an uncertain one", async () => {
    exchange.broadcasts.push(() => {
      throw down();
    });
    const refuse = () => ({ abciCode: 11, codespace: "sdk", log: "out of gas" });
    exchange.broadcasts.push(...Array.from({ length: 50 }, () => refuse));
    await expect(deliver()).rejects.toThrow(TransactionRejected);
    expect(exchange.height).toBeGreaterThanOrEqual(110n);
    expect(key.signed).toHaveLength(1);
  });

  it("is a failure with hash, height and code when it failed in its block", async () => {
    exchange.outcome = { abciCode: 9, codespace: "dcx", log: "deployment 41 has revision 13, not 12" };
    const failure = await deliver().catch((error: unknown) => error);
    expect(failure).toBeInstanceOf(TransactionFailed);
    expect(failure).toMatchObject({ height: 101n, hash: key.signed[0]?.hash, exchangeCode: 9 });
  });

  it("names the account that is short of tokens", async () => {
    exchange.outcome = { abciCode: 6, codespace: "dcx", log: "needs 10, has 3" };
    await expect(deliver()).rejects.toThrow(InsufficientFunds);
    exchange.broadcasts.push(() => ({ abciCode: 5, codespace: "sdk", log: "needs 10, has 3" }));
    await expect(deliver()).rejects.toThrow(/Account dcx1tenant has not enough tokens/);
  });

  it("is unknown, with every hash, when nothing can be learned for too long", async () => {
    exchange.broadcasts.push((accept) => {
      accept();
      exchange.reachable = false;
      throw down();
    });
    const failure = await deliver({ patience: 5_000 }).catch((error: unknown) => error);
    expect(failure).toBeInstanceOf(TransactionOutcomeUnknown);
    expect(failure).toMatchObject({ hashes: [key.signed[0]?.hash], timeoutHeight: 110n });
  });

  it("is unknown when its sequence was used and the blocks that would tell are gone", async () => {
    exchange.indexed = false;
    exchange.unreadable = 1;
    expect((await deliver()).hash).toBe(key.signed[0]?.hash);
    exchange.unreadable = Number.POSITIVE_INFINITY;
    await expect(deliver()).rejects.toThrow(TransactionOutcomeUnknown);
    expect(key.signed).toHaveLength(2);
  });

  it("is what the signer throws, with nothing sent, when the first signature fails", async () => {
    const cancelled = deliverTransaction(
      exchange,
      async () => {
        throw new Error("the user left");
      },
      limits,
    );
    await expect(cancelled).rejects.toThrow("the user left");
    expect(exchange.sent).toBe(0);
  });

  it("is a rejection when no block ever takes it in", async () => {
    exchange.roomInBlocks = false;
    await expect(deliver()).rejects.toThrow(/signed 5 times/);
    expect(new Set(key.signed.map(({ sequence }) => sequence))).toEqual(new Set([7n]));
  });
});

describe("deliveries that share their sequences", () => {
  let sequences: Sequences;
  let keys: ReturnType<typeof signer>[];

  beforeEach(() => {
    sequences = new Sequences();
    keys = ["a", "b", "c"].map(signer);
  });

  /** All at once; each with what it threw, or its transaction. */
  function deliverAll(shared = sequences): Promise<unknown[]> {
    return Promise.all(
      keys.map(({ sign }) => deliverTransaction(exchange, sign, limits, shared).catch((error: unknown) => error)),
    );
  }

  const sequencesOf = () => keys.map(({ signed }) => signed.map(({ sequence }) => sequence));
  const refusal = { abciCode: 9, codespace: "dcx", log: "deployment 41 has revision 13, not 12" };

  it("get into one block, in the order of asking", async () => {
    const all = await deliverAll();
    expect(all).toMatchObject([0, 1, 2].map((index) => ({ height: 101n, index, hash: keys[index]?.signed[0]?.hash })));
    expect(sequencesOf()).toEqual([[7n], [8n], [9n]]);
    expect(exchange.sent).toBe(3);
  });

  it("give the sequence of one that a mempool refused to the next", async () => {
    exchange.broadcasts.push(() => refusal);
    const [first, ...others] = await deliverAll();
    expect(first).toBeInstanceOf(TransactionRejected);
    expect(others).toMatchObject([{ height: 101n }, { height: 101n }]);
    expect(sequencesOf()).toEqual([[7n], [7n], [8n]]);
  });

  it("give the sequence of one that could not be signed to the next", async () => {
    keys[0] = { signed: [], sign: () => Promise.reject(new Error("the user left")) };
    const [first, ...others] = await deliverAll();
    expect(first).toEqual(new Error("the user left"));
    expect(others).toMatchObject([{ height: 101n }, { height: 101n }]);
    expect(sequencesOf()).toEqual([[], [7n], [8n]]);
  });

  it("are not held up by one that fails in its block", async () => {
    exchange.outcomes.push(refusal);
    const [first, ...others] = await deliverAll();
    expect(first).toBeInstanceOf(TransactionFailed);
    expect(others).toMatchObject([{ height: 101n }, { height: 101n }]);
  });

  it("move the one whose sequence another program used behind the others", async () => {
    exchange.broadcasts.push(() => {
      exchange.useSequenceElsewhere();
      return { abciCode: 32, codespace: "sdk", log: "account sequence mismatch, expected 8, got 7" };
    });
    const all = await deliverAll();
    expect(all).toMatchObject([{ height: 102n }, { height: 101n }, { height: 101n }]);
    expect(sequencesOf()).toEqual([[7n, 10n], [8n], [9n]]);
    expect(exchange.counted()).toHaveLength(3);
  });

  it("are all offered again, in order, after the node has lost its mempool", async () => {
    exchange.roomInBlocks = false;
    exchange.afterBlock.push(() => {
      exchange.restart();
      exchange.roomInBlocks = true;
    });
    expect(await deliverAll()).toMatchObject([{ abciCode: 0 }, { abciCode: 0 }, { abciCode: 0 }]);
    expect(sequencesOf()).toEqual([[7n], [8n], [9n]]);
    expect(exchange.counted()).toHaveLength(3);
  });

  it("close up at their timeout heights when the first ended without a use of its sequence", async () => {
    exchange.broadcasts.push(() => {
      throw down();
    });
    // The first may wait in some mempool; every other refuses it.
    const refuseTheFirst = (accept: () => BroadcastVerdict): BroadcastVerdict => {
      const verdict = accept();
      const waiting = [...exchange.mempool.values()].find(({ hash }) => hash === keys[0]?.signed[0]?.hash);
      if (waiting === undefined) return verdict;
      exchange.mempool.delete(waiting.hash);
      return refusal;
    };
    exchange.broadcasts.push(...Array.from({ length: 200 }, () => refuseTheFirst));
    const [first, ...others] = await deliverAll();
    expect(first).toBeInstanceOf(TransactionRejected);
    expect(others).toMatchObject([{ abciCode: 0 }, { abciCode: 0 }]);
    expect(sequencesOf()).toEqual([[7n], [8n, 7n], [9n, 8n]]);
    expect(exchange.counted()).toHaveLength(2);
  });

  it("fill a gap with the next that comes", async () => {
    const [, second] = keys;
    const before = sequences.take({ sequence: 7n, height: 100n });
    const waiting = deliverTransaction(exchange, second?.sign ?? key.sign, limits, sequences);
    await exchange.nextBlock();
    sequences.release(before);
    const filling = await deliverTransaction(exchange, key.sign, limits, sequences);
    expect(key.signed.map(({ sequence }) => sequence)).toEqual([7n]);
    expect((await waiting).height).toBeGreaterThanOrEqual(filling.height);
    expect(second?.signed.map(({ sequence }) => sequence)).toEqual([8n]);
  });

  // Answers and offers are lost, mempools forgotten or full, blocks without room, and another program with the same
  // key is at it: whatever is delivered counts once, and what is not, never.
  it("each count once, whatever happens", async () => {
    const fault = fc.constantFrom<"lostAnswer" | "lostOffer" | "full" | "refuse" | "ok">(
      "lostAnswer",
      "lostOffer",
      "full",
      "refuse",
      "ok",
    );
    const weather = fc.constantFrom<"restart" | "noRoom" | "elsewhere" | "wrongSequence" | "fail" | "fair">(
      "restart",
      "noRoom",
      "elsewhere",
      "wrongSequence",
      "fail",
      "fair",
    );
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 1, max: 6 }),
        fc.boolean(),
        fc.array(fault, { maxLength: 20 }),
        fc.array(weather, { maxLength: 12 }),
        fc.boolean(),
        async (count, twoPrograms, faults, blocks, indexed) => {
          exchange = new FakeExchange();
          exchange.indexed = indexed;
          for (const one of faults) exchange.broadcasts.push((accept) => offered(one, accept));
          for (const one of blocks) exchange.afterBlock.push(() => happens(one));
          keys = Array.from({ length: count }, (_, index) => signer(`payload ${index}`));
          const lanes = [new Sequences(), new Sequences()];
          const outcomes = await Promise.all(
            keys.map(({ sign }, index) =>
              deliverTransaction(exchange, sign, { ...limits, attempts: 50 }, lanes[twoPrograms ? index % 2 : 0]).catch(
                (error: unknown) => error,
              ),
            ),
          );
          for (const [index, outcome] of outcomes.entries()) {
            const own = new Set(keys[index]?.signed.map(({ hash }) => hash));
            const inBlocks = exchange.counted().filter(({ hash, abciCode }) => own.has(hash) && abciCode !== 32);
            expect(inBlocks).toHaveLength(outcome instanceof TransactionRejected ? 0 : 1);
            if (outcome instanceof TransactionFailed) expect(inBlocks).toMatchObject([{ abciCode: 9 }]);
            else if (!(outcome instanceof TransactionRejected)) expect(inBlocks).toEqual([outcome]);
          }
        },
      ),
      { numRuns: 300 },
    );
  });

  function offered(fault: string, accept: () => BroadcastVerdict): BroadcastVerdict {
    if (fault === "lostOffer") throw down();
    if (fault === "full") return { abciCode: 20, codespace: "sdk", log: "mempool is full" };
    if (fault === "refuse") return refusal;
    const verdict = accept();
    if (fault === "lostAnswer") throw down();
    return verdict;
  }

  function happens(weather: string): void {
    exchange.roomInBlocks = weather !== "noRoom";
    if (weather === "restart") exchange.restart();
    if (weather === "elsewhere") exchange.useSequenceElsewhere();
    if (weather === "wrongSequence") exchange.outcomes.push({ abciCode: 32, codespace: "sdk", log: "mismatch" });
    if (weather === "fail") exchange.outcomes.push(refusal);
  }
});
