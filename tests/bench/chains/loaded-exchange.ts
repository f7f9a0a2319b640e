import { createHash } from "node:crypto";
import { mkdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import type { Registry } from "@cosmjs/proto-signing";
import {
  Application,
  defaultGenesis,
  EventList,
  exchangeMachine,
  type KeyValueStore,
  UnlimitedGas,
} from "@dcx/exchange";
import { createRegistry, Genesis, type Infrastructure, MsgSubmitDeployment, messages, typeUrls } from "@dcx/protocol";
import {
  ResponseProcessProposal_ProposalStatus as ProposalStatus,
  RequestFinalizeBlock,
  RequestInitChain,
  RequestPrepareProposal,
  RequestProcessProposal,
} from "cosmjs-types/tendermint/abci/types";
import { open } from "lmdb";
import { BenchAccount } from "./accounts";

const chainId = "dcx-bench-orders";
const tenants = 100;
/** Orders that enter the state in one block of the loading. */
const perBlock = 20_000;
const scale = 10n ** 18n;
const fee = { amount: [{ denom: "udcx", amount: "1000" }], gas: 1_000_000n };

interface OpenOrder {
  readonly tenant: number;
  readonly sequence: bigint;
}

/**
 * An exchange on disk with that many open orders without bids, each of a deployment of its own; the deployments belong
 * to a hundred tenants. They are loaded in bulk, past signatures and fees, by the transition that submits deployments,
 * and then the database is copied as a whole and opened anew, as a node has it that began with a snapshot: blocks of
 * tens of thousands of orders, which no chain allows, leave lmdb so many free pages that each later commit writes a
 * list of them.
 */
export class LoadedExchange {
  private height: bigint;
  private next = 0;
  private price = 10n;

  private constructor(
    private readonly application: Application,
    private readonly accounts: readonly BenchAccount[],
    private readonly registry: Registry,
    private readonly orders: number,
    loaded: bigint,
  ) {
    this.height = loaded;
  }

  static async load(path: string, orders: number): Promise<LoadedExchange> {
    const accounts: BenchAccount[] = [];
    for (let index = 0; index < tenants; index++) {
      const account = await BenchAccount.named(`tenant ${index}`, "dcx");
      account.accountNumber = BigInt(index);
      accounts.push(account);
    }
    const loading = `${path}.loading`;
    const height = await fill(loading, accounts, orders);
    await copyCompact(loading, path);
    rmSync(loading, { recursive: true });
    const application = new Application({ path, machine: exchangeMachine });
    return new LoadedExchange(application, accounts, await createRegistry(), orders, height);
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

async function copyCompact(from: string, to: string): Promise<void> {
  mkdirSync(to);
  const environment = open({ path: from, maxDbs: 4, readOnly: true });
  try {
    await environment.backup(join(to, "data.mdb"), true);
  } finally {
    await environment.close();
  }
}

/** Writes the state to disk and returns its height. */
async function fill(path: string, accounts: readonly BenchAccount[], orders: number): Promise<bigint> {
  let entered = 0;
  const enter = (store: KeyValueStore, height: bigint): void => {
    for (const end = Math.min(orders, entered + perBlock); entered < end; entered++) {
      const { tenant, sequence } = orderAt(entered);
      submit(store, height, accounts[tenant]?.address ?? "", sequence);
    }
  };
  const application = new Application({
    path,
    machine: {
      ...exchangeMachine,
      beginBlock(store, context, conduct) {
        const events = exchangeMachine.beginBlock(store, context, conduct);
        enter(store, context.height);
        return events;
      },
    },
  });
  try {
    const genesis = defaultGenesis({
      chainId,
      accounts: accounts.map(({ address }) => ({ address, balance: 1_000_000_000n })),
    });
    const appStateBytes = Buffer.from(JSON.stringify(Genesis.toJSON(genesis)));
    application.initChain(RequestInitChain.fromPartial({ chainId, appStateBytes, initialHeight: 1n }));
    let height = 0n;
    while (entered < orders) {
      height += 1n;
      application.finalizeBlock(RequestFinalizeBlock.fromPartial({ height }));
      application.commit();
    }
    return height;
  } finally {
    await application.close();
  }
}

function submit(store: KeyValueStore, height: bigint, tenant: string, sequence: bigint): void {
  const token = createHash("sha256").update(`${tenant}/${sequence}`).digest();
  const message = MsgSubmitDeployment.fromPartial({
    tenant,
    infrastructures: [terms(10n)],
    version: token,
    manifestEntries: 1,
    nonce: token,
    clientToken: token,
  });
  exchangeMachine.applyMessage(
    store,
    { chainId, height, hash: token, gas: new UnlimitedGas(), events: new EventList() },
    { typeUrl: typeUrls.submitDeployment, value: MsgSubmitDeployment.encode(message).finish() },
    "transaction",
  );
}

/** One group; the price in micro-units a block. */
function terms(price: bigint): Infrastructure {
  return {
    name: "west",
    region: "us-west",
    attributes: [],
    allowedDatacenters: [],
    deniedDatacenters: [],
    persist: true,
    resources: [
      {
        compute: { cpu: 500n, memory: 2n ** 29n, disk: 2n ** 30n, gpu: undefined },
        price: (price * scale).toString(),
        collateral: 1_000n,
        count: 1,
      },
    ],
  };
}

function orderAt(index: number): OpenOrder {
  return { tenant: index % tenants, sequence: BigInt(Math.floor(index / tenants) + 1) };
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
