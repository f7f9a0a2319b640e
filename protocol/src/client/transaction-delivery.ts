import { ExchangeErrorCode, exchangeCodespace } from "../exchange/errors";
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

/** An account's committed sequence, and the height of the state that it is from. */
export interface SequenceAt {
  readonly sequence: bigint;
  readonly height: bigint;
}

/** What a delivery needs of the exchange. Every method but `now` may throw NetworkUnreachable. */
export interface TransactionGateway {
  sequence(): Promise<SequenceAt>;
  /** Offers it to one node once. NetworkUnreachable: that node may or may not have got it. */
  broadcast(transaction: Uint8Array): Promise<BroadcastVerdict>;
  /** From a node's index, which may be a little behind the chain. */
  transaction(hash: string): Promise<CommittedTransaction | undefined>;
  /** From the block itself. Throws QueryFailed where the node does not have it. */
  blockTransactions(height: bigint): Promise<readonly CommittedTransaction[]>;
  /** Resolves at a block after `height`, or after a while without one. */
  nextBlock(height: bigint): Promise<void>;
  /** Milliseconds of a clock. */
  now(): number;
}

/** One signature of the transaction that is to be delivered. */
export interface SignedTransaction {
  readonly bytes: Uint8Array;
  /** Upper-case hexadecimal. */
  readonly hash: string;
  /** Last height at which it counts. */
  readonly timeoutHeight: bigint;
}

/** Signs with this sequence, for a timeout some blocks after that height. `attempt` counts signatures from 1. */
export type Sign = (at: SequenceAt, attempt: number) => Promise<SignedTransaction>;

export interface DeliveryLimits {
  readonly address: string;
  /** How long to go on while no block comes and nothing can be learned, in ms. */
  readonly patience: number;
  /** Most signatures. */
  readonly attempts: number;
}

/** Codes of codespace "sdk" (cosmos-sdk types/errors). */
const sdk = { insufficientFunds: 5, inCache: 19, mempoolFull: 20, timeoutHeight: 30, wrongSequence: 32 } as const;

/** A node that restarts has forgotten its mempool, one that is full pushes out: offer it again after this long. */
const offerAgainAfter = 2_000;

/** A node that has pruned the blocks, or is behind: how often to ask again before the outcome is unknown. */
const mostUnreadable = 5;

/** Signatures for one sequence: of these at most one can count. */
class Generation {
  readonly signed: SignedTransaction[] = [];
  /** Whether some node's mempool may hold, or have held, one of them. */
  mayBePending = false;
  /** What a mempool said when it refused the newest, while `mayBePending`. */
  refusal: TransactionFailure | undefined;
  /** How often blocks could not be read in search of it. */
  unreadable = 0;

  /** No block up to `from.height` holds any of them: they were signed after it. */
  constructor(readonly from: SequenceAt) {}

  get newest(): SignedTransaction {
    const newest = this.signed.at(-1);
    if (newest === undefined) throw new Error("A generation holds at least one signature.");
    return newest;
  }
}

/**
 * Brings a transaction into a committed block, and finds out what became of it there. Whatever is lost on the way
 * (an answer, a node's mempool, room in a block), it counts at most once:
 *
 * - with the same sequence it is signed again at any time, for only one signature can count;
 * - with another sequence only when the committed sequence has passed the first's, and none of the signatures is in
 *   any block up to the height at which that was seen. The blocks themselves are read for this: an index may lag.
 *
 * Throws TransactionRejected, TransactionFailed, InsufficientFunds, TransactionOutcomeUnknown, or what `sign` throws
 * at the first signature, before anything was sent. design: "Two pipelines, one key".
 */
export async function deliverTransaction(
  gateway: TransactionGateway,
  sign: Sign,
  limits: DeliveryLimits,
): Promise<CommittedTransaction> {
  const delivery = new Delivery(gateway, sign, limits);
  const transaction = await delivery.run();
  if (transaction.abciCode !== 0) throw failedInBlock(transaction, limits.address);
  return transaction;
}

class Delivery {
  private attempts = 0;
  private height = 0n;
  private progressedAt: number;

  constructor(
    private readonly gateway: TransactionGateway,
    private readonly sign: Sign,
    private readonly limits: DeliveryLimits,
  ) {
    this.progressedAt = gateway.now();
  }

  async run(): Promise<CommittedTransaction> {
    for (let at = await this.gateway.sequence(); ; ) {
      this.progress(at.height);
      const generation = new Generation(at);
      await this.signAgain(generation, at.height);
      const outcome = await this.follow(generation);
      if ("hash" in outcome) return outcome;
      at = outcome;
    }
  }

  /**
   * Until one of the signatures is in a block, or none ever will be: the sequence was used by something else.
   * Answers with the transaction, or with the sequence that is next.
   */
  private async follow(generation: Generation): Promise<CommittedTransaction | SequenceAt> {
    let offeredAt = Number.NEGATIVE_INFINITY;
    for (;;) {
      try {
        if (this.gateway.now() - offeredAt >= offerAgainAfter) {
          const held = await this.offer(generation);
          offeredAt = held ? this.gateway.now() : Number.NEGATIVE_INFINITY;
        }
        await this.gateway.nextBlock(this.height);
        const indexed = await this.lookUp(generation);
        if (indexed !== undefined) return indexed;
        const at = await this.gateway.sequence();
        this.progress(at.height);
        if (at.sequence > generation.from.sequence) {
          const found = await this.searchBlocks(generation, at.height);
          if (found !== "unreadable") return found ?? at;
          continue;
        }
        if (at.height >= generation.newest.timeoutHeight) {
          // The sequence is still unused at that height: none of the signatures counted, and none can any more.
          if (generation.refusal !== undefined) throw this.rejected(generation.refusal, generation.newest.hash);
          await this.signAgain(generation, at.height);
          offeredAt = Number.NEGATIVE_INFINITY;
        }
        this.requireProgress(generation);
      } catch (error) {
        if (!(error instanceof NetworkUnreachable)) throw error;
        // Who was away may have forgotten its mempool.
        offeredAt = Number.NEGATIVE_INFINITY;
        this.requireProgress(generation, error);
      }
    }
  }

  private async signAgain(generation: Generation, height: bigint): Promise<void> {
    if (this.attempts >= this.limits.attempts) {
      const log = `signed ${this.attempts} times, and each time it was not in a block before its timeout height or before another transaction of this account`;
      throw this.rejected({ abciCode: sdk.timeoutHeight, codespace: "sdk", log }, undefined);
    }
    this.attempts += 1;
    generation.signed.push(await this.sign({ sequence: generation.from.sequence, height }, this.attempts));
  }

  /** Whether the node holds the newest signature now. Throws when it is certain that no node ever had any. */
  private async offer(generation: Generation): Promise<boolean> {
    let verdict: BroadcastVerdict;
    try {
      verdict = await this.gateway.broadcast(generation.newest.bytes);
    } catch (error) {
      if (!(error instanceof NetworkUnreachable)) throw error;
      // It may have got there. The wait for the next block comes before the next offer.
      generation.mayBePending = true;
      return false;
    }
    if (verdict.abciCode === 0 || isSdk(verdict, sdk.inCache)) {
      generation.mayBePending = true;
      generation.refusal = undefined;
      return true;
    }
    // Someone else's transaction waits with our sequence, or that is used up already; or there is no room just now;
    // or it came too late. Time tells, with the sequence or the timeout height.
    if (isSdk(verdict, sdk.wrongSequence) || isSdk(verdict, sdk.mempoolFull) || isSdk(verdict, sdk.timeoutHeight)) {
      return false;
    }
    if (!generation.mayBePending) throw this.rejected(verdict, generation.newest.hash);
    // A mempool checks funds before sequences: a transaction that counted already is refused in many ways.
    generation.refusal = verdict;
    return false;
  }

  /** The signature that counted, newest first, as far as the index knows. */
  private async lookUp(generation: Generation): Promise<CommittedTransaction | undefined> {
    for (const { hash } of generation.signed.toReversed()) {
      const found = await this.gateway.transaction(hash);
      if (found !== undefined && counted(found)) return found;
    }
    return undefined;
  }

  /** "unreadable": a node did not have one of the blocks; the next may. Throws when that happens too often. */
  private async searchBlocks(
    generation: Generation,
    upTo: bigint,
  ): Promise<CommittedTransaction | "unreadable" | undefined> {
    const hashes = new Set(generation.signed.map((signed) => signed.hash));
    try {
      for (let height = generation.from.height + 1n; height <= upTo; height++) {
        const transactions = await this.gateway.blockTransactions(height);
        const found = transactions.find((transaction) => hashes.has(transaction.hash) && counted(transaction));
        if (found !== undefined) return found;
      }
      return undefined;
    } catch (error) {
      if (!(error instanceof QueryFailed)) throw error;
      generation.unreadable += 1;
      if (generation.unreadable >= mostUnreadable) throw this.unknown(generation, error);
      return "unreadable";
    }
  }

  private progress(height: bigint): void {
    if (height <= this.height) return;
    this.height = height;
    this.progressedAt = this.gateway.now();
  }

  private requireProgress(generation: Generation, cause?: unknown): void {
    if (this.gateway.now() - this.progressedAt > this.limits.patience) throw this.unknown(generation, cause);
  }

  private unknown(generation: Generation, cause: unknown): TransactionOutcomeUnknown {
    const hashes = generation.signed.map((signed) => signed.hash);
    return new TransactionOutcomeUnknown(hashes, generation.newest.timeoutHeight, { cause });
  }

  private rejected(failure: TransactionFailure, hash: string | undefined): Error {
    return rejection(failure, this.limits.address, hash);
  }
}

/** The error for a transaction that never got into a block. `hash` absent: it was not signed. */
export function rejection(failure: TransactionFailure, address: string, hash?: string): Error {
  if (isForFunds(failure)) return new InsufficientFunds(address, failure, hash);
  return new TransactionRejected(failure, exchangeCode(failure), hash);
}

function failedInBlock(transaction: CommittedTransaction, address: string): Error {
  const { hash, height, abciCode, codespace, log } = transaction;
  const failure = { abciCode, codespace, log };
  if (isForFunds(failure)) return new InsufficientFunds(address, failure, hash, height);
  return new TransactionFailed(hash, height, failure, exchangeCode(failure));
}

/** With a wrong sequence a transaction is in a block for nothing: it neither ran nor used its sequence. */
function counted(transaction: CommittedTransaction): boolean {
  return !isSdk(transaction, sdk.wrongSequence);
}

function isSdk(failure: TransactionFailure, code: number): boolean {
  return failure.codespace === "sdk" && failure.abciCode === code;
}

function isForFunds(failure: TransactionFailure): boolean {
  return isSdk(failure, sdk.insufficientFunds) || exchangeCode(failure) === ExchangeErrorCode.InsufficientFunds;
}

function exchangeCode(failure: TransactionFailure): ExchangeErrorCode | undefined {
  return failure.codespace === exchangeCodespace ? failure.abciCode : undefined;
}
