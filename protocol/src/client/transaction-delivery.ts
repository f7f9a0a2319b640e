import { NetworkUnreachable, QueryFailed, type TransactionFailure, TransactionOutcomeUnknown } from "./errors";
import type { BroadcastVerdict, CommittedTransaction } from "./exchange-query-client";
import { failedInBlock, isSdk, rejection, sdk } from "./refusals";
import { type SequenceAt, Sequences } from "./sequences";

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
  /**
   * Whether the node that answers is so far behind the chain that what is signed at its height is too late when a
   * validator gets it: the error that says so. Undefined: it is not, or that can't be told now.
   */
  lag(): Promise<NetworkUnreachable | undefined>;
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

/** A node that restarts has forgotten its mempool, one that is full pushes out: offer it again after this long. */
const offerAgainAfter = 2_000;

/** How long a node that was too far behind for a signature to count may take to catch up, in ms. */
const catchUpPatience = 30_000;

/** A node that has pruned the blocks, or is behind: how often to ask again before the outcome is unknown. */
const mostUnreadable = 5;

/** One signature, with its sequence. */
class Signature {
  /** Whether some node's mempool may hold it, or have held it. */
  mayBePending = false;
  /** What a mempool said when it refused it last, while `mayBePending`. */
  refusal: TransactionFailure | undefined;
  /** When a node last said that it holds it. */
  heldAt = Number.NEGATIVE_INFINITY;
  /** How often blocks could not be read in search of it. */
  unreadable = 0;

  constructor(
    /** No block up to this height holds it: it was signed after that. */
    readonly from: SequenceAt,
    readonly signed: SignedTransaction,
  ) {}
}

/**
 * Brings a transaction into a committed block, and finds out what became of it there. Whatever is lost on the way
 * (an answer, a node's mempool, room in a block), it counts at most once. It is signed again only when the signature
 * before can't count any more:
 *
 * - the committed sequence has passed that signature's, and it is in no block up to the height at which that was seen.
 *   The blocks themselves are read for this: an index may lag;
 * - or the committed sequence has not passed it at its timeout height.
 *
 * Deliveries that share `sequences` may run beside one another: each signs with the lowest sequence that no other
 * holds. One that ends without a use of its sequence leaves a gap; the next signature of any of them fills it, at the
 * latest when those behind it reach their timeout heights.
 *
 * Throws TransactionRejected, TransactionFailed, InsufficientFunds, TransactionOutcomeUnknown, NetworkUnreachable (no
 * signature counts, and the node is too far behind for another to), or what `sign` throws at the first signature, before
 * anything was sent. design: "Two pipelines, one key".
 */
export async function deliverTransaction(
  gateway: TransactionGateway,
  sign: Sign,
  limits: DeliveryLimits,
  sequences = new Sequences(),
): Promise<CommittedTransaction> {
  const delivery = new Delivery(gateway, sign, limits, sequences);
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
    private readonly sequences: Sequences,
  ) {
    this.progressedAt = gateway.now();
  }

  async run(): Promise<CommittedTransaction> {
    for (let at: SequenceAt | undefined; ; ) {
      const signature = await this.begin(at);
      const { sequence } = signature.from;
      try {
        const outcome = await this.follow(signature);
        if ("hash" in outcome) {
          this.sequences.use(sequence);
          return outcome;
        }
        at = outcome;
        if (at.height >= signature.signed.timeoutHeight && at.sequence === sequence) await this.requireCurrent();
      } finally {
        this.sequences.release(sequence);
      }
    }
  }

  /**
   * Signs with the next sequence and offers that, in one turn: where a mempool refuses it for good, whoever comes next
   * gets the same sequence. `known`: the state of before, with which it goes on while the network is away.
   */
  private begin(known: SequenceAt | undefined): Promise<Signature> {
    return this.sequences.turn(undefined, async () => {
      const at = await this.gateway.sequence().catch((error: unknown) => {
        if (known !== undefined && error instanceof NetworkUnreachable) return known;
        throw error;
      });
      this.progress(at.height);
      const from = { sequence: this.sequences.take(at), height: at.height };
      try {
        const signature = new Signature(from, await this.signNext(from));
        await this.offer(signature);
        return signature;
      } catch (error) {
        this.sequences.release(from.sequence);
        throw error;
      }
    });
  }

  /**
   * Until the signature is in a block, or never will be. Answers with the transaction, or with the state that shows
   * that it does not count.
   */
  private async follow(signature: Signature): Promise<CommittedTransaction | SequenceAt> {
    const { from, signed } = signature;
    for (let justOffered = true; ; justOffered = false) {
      try {
        if (!justOffered && this.gateway.now() - signature.heldAt >= offerAgainAfter) {
          await this.sequences.turn(from.sequence, () => this.offer(signature));
        }
        await this.gateway.nextBlock(this.height);
        const indexed = await this.gateway.transaction(signed.hash);
        if (indexed !== undefined && counted(indexed)) return indexed;
        const at = await this.gateway.sequence();
        this.progress(at.height);
        if (at.sequence > from.sequence) {
          const found = await this.searchBlocks(signature, at.height);
          if (found !== "unreadable") return found ?? at;
          continue;
        }
        if (at.height >= signed.timeoutHeight) {
          // The sequence is still unused at that height: the signature did not count, and can't any more.
          if (signature.refusal !== undefined) throw this.rejected(signature.refusal, signed.hash);
          return at;
        }
        this.requireProgress(signature);
      } catch (error) {
        if (!(error instanceof NetworkUnreachable)) throw error;
        // Who was away may have forgotten its mempool.
        signature.heldAt = Number.NEGATIVE_INFINITY;
        this.requireProgress(signature, error);
      }
    }
  }

  private async signNext(at: SequenceAt): Promise<SignedTransaction> {
    if (this.attempts >= this.limits.attempts) {
      const log = `signed ${this.attempts} times, and each time it was not in a block before its timeout height or before another transaction of this account`;
      throw this.rejected({ abciCode: sdk.timeoutHeight, codespace: "sdk", log }, undefined);
    }
    this.attempts += 1;
    return await this.sign(at, this.attempts);
  }

  /** Offers it to a node. Throws when it is certain that no node ever had it. */
  private async offer(signature: Signature): Promise<void> {
    signature.heldAt = Number.NEGATIVE_INFINITY;
    let verdict: BroadcastVerdict;
    try {
      verdict = await this.gateway.broadcast(signature.signed.bytes);
    } catch (error) {
      if (!(error instanceof NetworkUnreachable)) throw error;
      // It may have got there. The wait for the next block comes before the next offer.
      signature.mayBePending = true;
      return;
    }
    if (verdict.abciCode === 0 || isSdk(verdict, sdk.inCache)) {
      signature.mayBePending = true;
      signature.refusal = undefined;
      signature.heldAt = this.gateway.now();
      return;
    }
    // Someone else's transaction waits with our sequence, or that is used up already; or one of ours before it has not
    // got here yet; or there is no room just now; or it came too late. Time tells, with the sequence or the timeout
    // height.
    if (isSdk(verdict, sdk.wrongSequence) || isSdk(verdict, sdk.mempoolFull) || isSdk(verdict, sdk.timeoutHeight)) {
      return;
    }
    if (!signature.mayBePending) throw this.rejected(verdict, signature.signed.hash);
    // A mempool checks funds before sequences: a transaction that counted already is refused in many ways.
    signature.refusal = verdict;
  }

  /** "unreadable": a node did not have one of the blocks; the next may. Throws when that happens too often. */
  private async searchBlocks(
    signature: Signature,
    upTo: bigint,
  ): Promise<CommittedTransaction | "unreadable" | undefined> {
    const { from, signed } = signature;
    try {
      for (let height = from.height + 1n; height <= upTo; height++) {
        const transactions = await this.gateway.blockTransactions(height);
        const found = transactions.find((transaction) => transaction.hash === signed.hash && counted(transaction));
        if (found !== undefined) return found;
      }
      return undefined;
    } catch (error) {
      if (!(error instanceof QueryFailed)) throw error;
      signature.unreadable += 1;
      if (signature.unreadable >= mostUnreadable) throw this.unknown(signature, error);
      return "unreadable";
    }
  }

  private progress(height: bigint): void {
    if (height <= this.height) return;
    this.height = height;
    this.progressedAt = this.gateway.now();
  }

  private requireProgress(signature: Signature, cause?: unknown): void {
    if (this.gateway.now() - this.progressedAt > this.limits.patience) throw this.unknown(signature, cause);
  }

  /**
   * Of a node that is behind, each further signature would be as late as the one before: it is given some time to catch
   * up, as one that has just lost and found the others does.
   */
  private async requireCurrent(): Promise<void> {
    for (const deadline = this.gateway.now() + catchUpPatience; ; ) {
      const lag = await this.gateway.lag();
      if (lag === undefined) return;
      if (this.gateway.now() >= deadline) throw lag;
      await this.gateway.nextBlock(this.height).catch((error: unknown) => {
        if (!(error instanceof NetworkUnreachable)) throw error;
      });
    }
  }

  private unknown({ signed }: Signature, cause: unknown): TransactionOutcomeUnknown {
    return new TransactionOutcomeUnknown([signed.hash], signed.timeoutHeight, { cause });
  }

  private rejected(failure: TransactionFailure, hash: string | undefined): Error {
    return rejection(failure, this.limits.address, hash);
  }
}

/** With a wrong sequence a transaction is in a block for nothing: it neither ran nor used its sequence. */
function counted(transaction: CommittedTransaction): boolean {
  return !isSdk(transaction, sdk.wrongSequence);
}
