import { CheckTxType, ResponseCheckTx } from "cosmjs-types/tendermint/abci/types";
import type { Application } from "../../application";
import { EnvelopeErrorCode, envelopeCodespace } from "../../application/envelope-error";
import { sha256 } from "../../storage/sha256";

export interface MempoolLimits {
  readonly transactions: number;
  readonly bytes: number;
}

/** Of each bound, a quarter is kept for lease confirmations: a flood can't keep them out. */
const openShare = 0.75;

/** Transactions that wait for a block, in order of arrival. */
export class Mempool {
  private readonly pending = new Map<string, Uint8Array>();
  private bytes = 0;

  constructor(
    private readonly application: Application,
    private readonly limits: MempoolLimits,
    private readonly onArrival: () => void,
  ) {}

  get size(): number {
    return this.pending.size;
  }

  get totalBytes(): number {
    return this.bytes;
  }

  /** Checks a transaction and, where the application takes it, keeps it for a block. */
  offer(transaction: Uint8Array): ResponseCheckTx & { readonly hash: Buffer } {
    const hash = sha256(transaction);
    const name = hash.toString("latin1");
    if (this.pending.has(name)) {
      return { ...refusal(EnvelopeErrorCode.MempoolDuplicate, "tx already exists in cache"), hash };
    }
    if (this.isFull(transaction.length, false) && !this.mayUseReserve(transaction)) {
      return { ...refusal(EnvelopeErrorCode.MempoolFull, "mempool is full: send the transaction again later"), hash };
    }
    const response = this.application.checkTx({ tx: transaction, type: CheckTxType.NEW });
    if (response.code === 0) {
      this.pending.set(name, transaction);
      this.bytes += transaction.length;
      this.onArrival();
    }
    return { ...response, hash };
  }

  /** Everything that waits, the oldest first, up to the limit. */
  list(limit = Number.POSITIVE_INFINITY): Uint8Array[] {
    const list: Uint8Array[] = [];
    for (const bytes of this.pending.values()) {
      if (list.length >= limit) break;
      list.push(bytes);
    }
    return list;
  }

  has(hash: Uint8Array): boolean {
    return this.pending.has(Buffer.from(hash).toString("latin1"));
  }

  /** Drops what a committed block took, and what no longer holds on the state after it. */
  settle(committed: readonly Uint8Array[]): void {
    for (const hash of committed) this.drop(Buffer.from(hash).toString("latin1"));
    for (const [name, bytes] of this.pending) {
      if (this.application.checkTx({ tx: bytes, type: CheckTxType.RECHECK }).code !== 0) this.drop(name);
    }
  }

  private isFull(more: number, reserve: boolean): boolean {
    const share = reserve ? 1 : openShare;
    return this.pending.size + 1 > this.limits.transactions * share || this.bytes + more > this.limits.bytes * share;
  }

  private mayUseReserve(transaction: Uint8Array): boolean {
    return !this.isFull(transaction.length, true) && this.application.hasReservedPlace(transaction);
  }

  private drop(name: string): void {
    const one = this.pending.get(name);
    if (one === undefined) return;
    this.bytes -= one.length;
    this.pending.delete(name);
  }
}

function refusal(code: EnvelopeErrorCode, log: string): ResponseCheckTx {
  return ResponseCheckTx.fromPartial({ code, codespace: envelopeCodespace, log });
}
