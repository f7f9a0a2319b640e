import type { Parameters } from "@dcx/protocol";
import { CheckTxType, type RequestCheckTx, ResponseCheckTx } from "cosmjs-types/tendermint/abci/types";
import { Branch } from "../state/branch";
import type { StateDatabase } from "../storage";
import type { BlockProposals } from "./block-proposals";
import type { DecodedTransactions } from "./decoded-transactions";
import { EnvelopeError, EnvelopeErrorCode } from "./envelope-error";
import { admit, refusalOf, type Surroundings, settleEnvelope } from "./execute";
import { refuseFacilitatorTypes } from "./facilitator-part";
import { bytesInBlock } from "./proposal";
import type { Transaction } from "./transaction";

/** Pending transactions of one sender that are let in because they have a place of their own: one confirms many leases. */
const mostReserved = 16;

const nothingPending = { transactions: 0, bytes: 0 };

export interface PendingBounds {
  readonly transactions: number;
  readonly bytes: number;
}

/**
 * Who is let into the mempool: the committed state, and what the pending transactions did to sequences and balances.
 */
export class PendingTransactions {
  private state: Branch;
  /** Transactions without a place of their own that were let in since the last commit, or rechecked after it. */
  private pending: PendingBounds = nothingPending;
  /** Those that have one, by sender. */
  private readonly reserved = new Map<string, number>();

  /** @param most see `ApplicationOptions.mostPending` */
  constructor(
    private readonly database: StateDatabase,
    private readonly transactions: DecodedTransactions,
    private readonly proposals: BlockProposals,
    private readonly most: PendingBounds | undefined,
  ) {
    this.state = new Branch(database);
  }

  /** Looks at a transaction (new: all of it; recheck: all but its signatures, which can't have changed). */
  check(request: RequestCheckTx, around: Surroundings): ResponseCheckTx {
    const { parameters } = around;
    let transaction: Transaction;
    try {
      if (bytesInBlock(request.tx) > mostBytes(parameters)) {
        throw new EnvelopeError(
          EnvelopeErrorCode.TooLarge,
          `the transaction has ${request.tx.length} bytes, a block takes ${mostBytes(parameters)}: split it`,
        );
      }
      transaction = this.transactions.of(request.tx);
    } catch (error) {
      if (!(error instanceof EnvelopeError)) throw error;
      return ResponseCheckTx.fromPartial({ code: error.code, codespace: error.codespace, log: error.message });
    }
    const gasWanted = transaction.fee?.gasLimit ?? 0n;
    const { most } = this;
    const holder = most === undefined ? undefined : this.reservedFor(request.tx);
    const counts = most !== undefined && holder === undefined;
    try {
      refuseFacilitatorTypes(transaction);
      const isNew = request.type !== CheckTxType.RECHECK;
      const pending = { transactions: this.pending.transactions + 1, bytes: this.pending.bytes + request.tx.length };
      if (counts && isNew && (pending.transactions > most.transactions || pending.bytes > most.bytes)) {
        throw new EnvelopeError(EnvelopeErrorCode.MempoolFull, "mempool is full: send the transaction again later");
      }
      settleEnvelope(this.state, admit(this.state, transaction, around, isNew ? "signature" : "sequence"));
      if (counts) this.pending = pending;
      if (holder !== undefined) this.reserved.set(holder, (this.reserved.get(holder) ?? 0) + 1);
      return ResponseCheckTx.fromPartial({ gasWanted });
    } catch (error) {
      return ResponseCheckTx.fromPartial({ ...refusalOf(error, transaction, around), gasWanted });
    }
  }

  /** The state is that of another block now: what is still pending is looked at again. */
  reset(): void {
    this.state = new Branch(this.database);
    this.pending = nothingPending;
    this.reserved.clear();
  }

  /**
   * Who has a part of every block kept for all that the transaction holds. Absent: nobody, or somebody of whom as many
   * as one needs wait already.
   */
  private reservedFor(bytes: Uint8Array): string | undefined {
    const [candidate] = this.proposals.candidate(bytes);
    if (candidate?.confirmation !== true) return undefined;
    return (this.reserved.get(candidate.sender) ?? 0) < mostReserved ? candidate.sender : undefined;
  }
}

/** Most bytes of one transaction: what a block has outside of the part kept for confirmations. */
function mostBytes(parameters: Parameters): number {
  return Math.floor((Number(parameters.blockMaxBytes) * (1000 - parameters.confirmationReserve)) / 1000);
}
