import type { Registry } from "@cosmjs/proto-signing";
import { Application, exchangeMachine } from "@dcx/exchange";
import { createRegistry, messages } from "@dcx/protocol";
import {
  ResponseProcessProposal_ProposalStatus as ProposalStatus,
  RequestFinalizeBlock,
  RequestPrepareProposal,
  RequestProcessProposal,
} from "cosmjs-types/tendermint/abci/types";
import type { BenchAccount } from "./accounts";
import { loadState, orderAt, terms } from "./loaded-state";

const chainId = "dcx-bench-orders";
const fee = { amount: [{ denom: "udcx", amount: "1000" }], gas: 1_000_000n };

/** The application of an exchange that begins with that many open orders (`loadState`). */
export class LoadedExchange {
  private height = 0n;
  private next = 0;
  private price = 10n;

  private constructor(
    private readonly application: Application,
    private readonly accounts: readonly BenchAccount[],
    private readonly registry: Registry,
    private readonly orders: number,
  ) {}

  static async load(path: string, orders: number): Promise<LoadedExchange> {
    const { accounts } = await loadState(path, chainId, orders);
    const application = new Application({ path, machine: exchangeMachine });
    return new LoadedExchange(application, accounts, await createRegistry(), orders);
  }

  /** A transaction that raises the price of an order which no transaction of this method has touched before. */
  async changeOfAnotherOrder(): Promise<Uint8Array> {
    const { tenant, sequence } = orderAt(scattered(this.next++, this.orders));
    const account = this.accounts[tenant];
    if (account === undefined) {
      throw new Error(`there is no tenant ${tenant}`);
    }
    this.price += 1n;
    const message = messages.updateDeployment({
      sender: account.address,
      id: { tenant: account.address, sequence },
      revision: 1n,
      infrastructures: [terms(this.price)],
    });
    return account.sign(this.registry, chainId, message, fee);
  }

  /** Proposes, checks, executes and commits a block. @throws Error when a transaction fails or is left out */
  block(transactions: readonly Uint8Array[]): void {
    const height = this.height + 1n;
    const time = { seconds: 1_800_000_000n + height, nanos: 0 };
    const { txs } = this.application.prepareProposal(
      RequestPrepareProposal.fromPartial({ height, time, txs: [...transactions], maxTxBytes: 2_000_000n }),
    );
    const { status } = this.application.processProposal(RequestProcessProposal.fromPartial({ height, time, txs }));
    const { txResults } = this.application.finalizeBlock(RequestFinalizeBlock.fromPartial({ height, time, txs }));
    this.application.commit();
    this.height = height;
    const failed = txResults.find(({ code }) => code !== 0);
    if (failed !== undefined || txs.length !== transactions.length || status !== ProposalStatus.ACCEPT) {
      throw new Error(`block ${height} did not take the change: ${failed?.log ?? "it was left out"}`);
    }
  }

  async close(): Promise<void> {
    await this.application.close();
  }
}

/** The step-th of all indices below `count` in an order that jumps about, each of them once. */
function scattered(step: number, count: number): number {
  return (step * coprime(count)) % count;
}

/** A stride near the golden section of `count` that has no divisor in common with it. */
function coprime(count: number): number {
  let stride = Math.max(1, Math.round(count * 0.618));
  while (divisor(stride, count) !== 1) {
    stride++;
  }
  return stride;
}

function divisor(left: number, right: number): number {
  return right === 0 ? left : divisor(right, left % right);
}
