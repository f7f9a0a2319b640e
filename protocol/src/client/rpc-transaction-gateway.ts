import { NetworkUnreachable } from "./errors";
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
    /** Blocks after that of its signature in which a transaction can count. */
    private readonly timeoutBlocks: number,
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

  async lag(): Promise<NetworkUnreachable | undefined> {
    try {
      const [{ height, time }, { parameters }] = await Promise.all([this.query.status(), this.query.parameters()]);
      const age = Date.now() - time.getTime();
      const interval = Number(parameters?.blockInterval ?? 0n);
      if (age <= interval * this.timeoutBlocks) return undefined;
      const reason =
        `is behind: its newest block, ${height}, was made ${Math.round(age / 1_000)} s ago by this machine's clock, and a ` +
        `transaction signed at that height counts for ${this.timeoutBlocks} blocks only; use a node that has caught up`;
      return new NetworkUnreachable([this.query.endpoint], [reason]);
    } catch (error) {
      if (!(error instanceof NetworkUnreachable)) throw error;
      return undefined;
    }
  }

  now(): number {
    return performance.now();
  }
}
