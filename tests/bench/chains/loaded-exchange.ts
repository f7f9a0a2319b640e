import { join } from "node:path";
import type { Registry } from "@cosmjs/proto-signing";
import { Application, BlockStore, Chain, exchangeMachine, loadOrCreateValidatorKey } from "@dcx/exchange";
import { createRegistry, messages } from "@dcx/protocol";
import type { BenchAccount } from "./accounts";
import { loadState, orderAt, terms } from "./loaded-state";

const chainId = "dcx-bench-orders";
const fee = { amount: [{ denom: "udcx", amount: "1000" }], gas: 1_000_000n };

/** The chain of an embedded node that begins with that many open orders (`loadState`). */
export class LoadedExchange {
  private next = 0;
  private price = 10n;

  private constructor(
    private readonly application: Application,
    private readonly blocks: BlockStore,
    private readonly chain: Chain,
    private readonly accounts: readonly BenchAccount[],
    private readonly registry: Registry,
    private readonly orders: number,
  ) {}

  static async load(home: string, orders: number): Promise<LoadedExchange> {
    const path = join(home, "state");
    const { accounts } = await loadState(path, chainId, orders);
    const application = new Application({ path, machine: exchangeMachine, writeBehind: true });
    const blocks = new BlockStore(join(home, "blocks"), 200_000n);
    const validator = loadOrCreateValidatorKey(join(home, "validator.json"));
    const chain = new Chain(application, blocks, validator, Date.now());
    return new LoadedExchange(application, blocks, chain, accounts, await createRegistry(), orders);
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

  /**
   * Proposes, executes, stores and commits a block of transactions that were not looked at before.
   * @throws Error when a transaction fails or is left out
   */
  block(transactions: readonly Uint8Array[]): void {
    const { stored } = this.chain.produce({ list: () => [...transactions], settle: () => undefined });
    const { block, results } = stored;
    const failed = results.txResults.find(({ code }) => code !== 0);
    if (failed !== undefined || block.data.txs.length !== transactions.length) {
      throw new Error(`block ${block.header.height} did not take the change: ${failed?.log ?? "it was left out"}`);
    }
  }

  /** Resolves once the state that the blocks lead to is on the disk. */
  written(): Promise<void> {
    return this.application.written();
  }

  async close(): Promise<void> {
    await this.application.close();
    await this.blocks.close();
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
