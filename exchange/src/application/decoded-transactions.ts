import { BoundedCache } from "../storage/bounded-cache";
import { sha256 } from "../storage/sha256";
import { decodeTransaction, type Transaction } from "./transaction";

/** Transactions as they are decoded, so that each is decoded once on its way from the mempool through its block. */
export class DecodedTransactions {
  // By identity: in one process the same bytes go from the mempool to the block.
  private readonly decoded = new WeakMap<Uint8Array, Transaction>();
  private readonly byHash: BoundedCache<string, Transaction> | undefined;

  /** @param kept by their hash: for an engine that sends the bytes anew with each request. 0: none */
  constructor(kept: number) {
    this.byHash = kept === 0 ? undefined : new BoundedCache(kept);
  }

  /** @throws EnvelopeError when the bytes are no transaction */
  of(bytes: Uint8Array): Transaction {
    const known = this.decoded.get(bytes);
    if (known !== undefined) return known;
    const hash = this.byHash === undefined ? undefined : sha256(bytes).toString("latin1");
    const transaction = (hash === undefined ? undefined : this.byHash?.get(hash)) ?? decodeTransaction(bytes);
    if (hash !== undefined) this.byHash?.set(hash, transaction);
    this.decoded.set(bytes, transaction);
    return transaction;
  }
}
