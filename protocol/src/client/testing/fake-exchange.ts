import { createHash } from "node:crypto";
import { NetworkUnreachable, QueryFailed, type TransactionFailure } from "../errors";
import type { BroadcastVerdict, CommittedTransaction } from "../exchange-query-client";
import type { SequenceAt } from "../sequences";
import type { DeliveryLimits, Sign, SignedTransaction, TransactionGateway } from "../transaction-delivery";

export const accepted = { abciCode: 0, codespace: "", log: "" };
export const down = () => new NetworkUnreachable(["http://node"], ["connection refused"]);
/** Of deliveries from one account, whose sequence is 7 at height 100. */
export const limits: DeliveryLimits = { address: "dcx1tenant", patience: 60_000, attempts: 5 };
/** Blocks for which a transaction of the signer can be taken in. */
export const timeoutBlocks = 10n;

interface Waiting {
  readonly hash: string;
  readonly bytes: Uint8Array;
  readonly sequence: bigint;
  readonly timeoutHeight: bigint;
}

/** A node and its chain in memory: sequences, a mempool and blocks as CometBFT and the SDK have them. */
export class FakeExchange implements TransactionGateway {
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
  /** Further than a signature counts. */
  behind = false;

  async lag(): Promise<NetworkUnreachable | undefined> {
    return this.behind ? new NetworkUnreachable(["http://node"], ["is behind"]) : undefined;
  }

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

export function hashOf(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex").toUpperCase();
}

/** A signer that remembers what it signed. `payload` is what is to be delivered. */
export function signer(payload = ""): { readonly sign: Sign; readonly signed: (SequenceAt & SignedTransaction)[] } {
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
