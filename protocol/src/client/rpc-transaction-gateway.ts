import type { Account, BroadcastVerdict, CommittedTransaction, ExchangeQueryClient } from "./exchange-query-client";
import type { SequenceAt } from "./sequences";
import type { TransactionGateway } from "./transaction-delivery";

/** How long a block is waited for before the state is looked at all the same, in ms. */
const longestWait = 2_000;

/** The exchange as a delivery sees it, over JSON-RPC, for one account. */
export class RpcTransactionGateway implements TransactionGateway {
  constructor(
    private readonly query: ExchangeQueryClient,
    private readonly account: Pick<Account, "address" | "sequence">,
  ) {}

  async sequence(): Promise<SequenceAt> {
    const account = await this.query.sequenceOf(this.account.address);
    // Accounts are never removed: a node that does not know this one is behind the one that did.
    return account ?? { sequence: this.account.sequence, height: 0n };
  }

  broadcast(transaction: Uint8Array): Promise<BroadcastVerdict> {
    return this.query.broadcast(transaction);
  }

  transaction(hash: string): Promise<CommittedTransaction | undefined> {
    return this.query.transaction(hash);
  }

  blockTransactions(height: bigint): Promise<readonly CommittedTransaction[]> {
    return this.query.blockTransactions(height);
  }

  async nextBlock(height: bigint): Promise<void> {
    const patience = AbortSignal.timeout(longestWait);
    try {
      await this.query.waitForHeight(height + 1n, { signal: patience });
    } catch (error) {
      if (!patience.aborted) throw error;
    }
  }

  now(): number {
    return performance.now();
  }
}
