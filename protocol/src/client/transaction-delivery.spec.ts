import {
  InsufficientFunds,
  NetworkUnreachable,
  TransactionFailed,
  TransactionOutcomeUnknown,
  TransactionRejected,
} from "./errors";
import type { CommittedTransaction } from "./exchange-query-client";
import { accepted, down, FakeExchange, limits, signer } from "./testing/fake-exchange";
import { type DeliveryLimits, deliverTransaction } from "./transaction-delivery";

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

  describe("whose timeout height has passed on a node that is behind the chain", () => {
    beforeEach(() => {
      exchange.roomInBlocks = false;
      exchange.behind = true;
    });

    it("is not signed again while that stays behind", async () => {
      await expect(deliver()).rejects.toThrow(new NetworkUnreachable(["http://node"], ["is behind"]));
      expect(key.signed).toHaveLength(1);
    });

    it("is signed again once that has caught up", async () => {
      exchange.afterBlock.push(...Array.from({ length: 15 }, () => () => undefined));
      exchange.afterBlock[14] = () => {
        exchange.roomInBlocks = true;
        exchange.behind = false;
      };
      await deliver();
      expect(key.signed.map(({ timeoutHeight }) => timeoutHeight)).toEqual([110n, 125n]);
    });
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
