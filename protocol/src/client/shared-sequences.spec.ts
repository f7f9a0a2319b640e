import fc from "fast-check";
import { TransactionFailed, TransactionRejected } from "./errors";
import type { BroadcastVerdict } from "./exchange-query-client";
import { Sequences } from "./sequences";
import { down, FakeExchange, limits, signer } from "./testing/fake-exchange";
import { deliverTransaction } from "./transaction-delivery";

let exchange: FakeExchange;

beforeEach(() => {
  exchange = new FakeExchange();
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
    const key = signer();
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
