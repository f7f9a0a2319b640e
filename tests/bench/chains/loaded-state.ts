import { createHash } from "node:crypto";
import { closeSync, fsyncSync, mkdirSync, openSync, readSync, rmSync, writeSync } from "node:fs";
import { dirname, join } from "node:path";
import { Branch, defaultGenesis, EventList, exchangeMachine, type KeyValueStore, UnlimitedGas } from "@dcx/exchange";
import { type Genesis, type Infrastructure, MsgSubmitDeployment, type Parameters, typeUrls } from "@dcx/protocol";
import { open } from "lmdb";
import { BenchAccount } from "./accounts";
import { StateBuilder } from "./state-builder";

const tenants = 100;
/** Orders that enter the state in one write of the loading. */
const perWrite = 20_000;
const scale = 10n ** 18n;
/** Of lmdb. */
const pageBytes = 4_096;
/** All but what each deployment or order has once. */
const keptTables = new Set(["ac", "ch", "dn", "in", "pa", "to"]);

/** An exchange at height 0, before its first block. */
export interface LoadedState {
  /** Whose the orders are. */
  readonly accounts: readonly BenchAccount[];
  /** With which a node on that state is started. */
  readonly genesis: Genesis;
}

interface OpenOrder {
  readonly tenant: number;
  readonly sequence: bigint;
}

/**
 * Writes the state of a chain that begins with that many open orders without bids, each of a deployment of its own; the
 * deployments belong to a hundred tenants. They are made in bulk, past signatures and fees, by the transition that
 * submits deployments, and then the database is copied as a whole, as a node has it that began with a snapshot: writes
 * of tens of thousands of orders, which no block allows, leave lmdb so many free pages that each later commit writes a
 * list of them. lmdb writes the copy past the kernel's cache, in which a node has the state that it has written: it is copied
 * once more, in the pieces that a node writes.
 * @param path the folder of the state database, which is made
 */
export async function loadState(
  path: string,
  chainId: string,
  orders: number,
  parameters: Partial<Parameters> = {},
): Promise<LoadedState> {
  const accounts: BenchAccount[] = [];
  for (let index = 0; index < tenants; index++) {
    const account = await BenchAccount.named(`tenant ${index}`, "dcx");
    account.accountNumber = BigInt(index);
    accounts.push(account);
  }
  const genesis = defaultGenesis({
    chainId,
    accounts: accounts.map(({ address }) => ({ address, balance: 1_000_000_000n })),
    parameters,
  });
  const loading = `${path}-loading`;
  await fill(loading, genesis, accounts, orders);
  const compact = `${path}-compact`;
  await copyCompact(loading, compact);
  rmSync(loading, { recursive: true });
  copyInPages(join(compact, "data.mdb"), join(path, "data.mdb"));
  rmSync(compact, { recursive: true });
  return { accounts, genesis };
}

async function fill(path: string, genesis: Genesis, accounts: readonly BenchAccount[], orders: number): Promise<void> {
  const builder = new StateBuilder(keptTables);
  const write = (change: (state: Branch) => void): void => {
    const state = new Branch(builder);
    change(state);
    builder.write(state.changes());
  };
  write((state) => exchangeMachine.initializeGenesis(state, genesis));
  for (let entered = 0; entered < orders; ) {
    write((state) => {
      for (const end = Math.min(orders, entered + perWrite); entered < end; entered++) {
        const { tenant, sequence } = orderAt(entered);
        submit(state, genesis.chainId, accounts[tenant]?.address ?? "", sequence);
      }
    });
  }
  await builder.finish(path, 0n);
}

async function copyCompact(from: string, to: string): Promise<void> {
  mkdirSync(to, { recursive: true });
  const environment = open({ path: from, maxDbs: 64, readOnly: true });
  try {
    await environment.backup(to, true);
  } finally {
    await environment.close();
  }
}

/**
 * Copies a database through the kernel's cache in lmdb's own pages, as commits fill it, and as what is read through a mapping
 * does. What is read or written in bulk lies there in pieces of up to 2 MiB, in which Linux takes ten times as long to write
 * a page.
 */
function copyInPages(from: string, to: string): void {
  mkdirSync(dirname(to), { recursive: true });
  const source = openSync(from, "r");
  const target = openSync(to, "w");
  try {
    const chunk = Buffer.alloc(2 ** 20);
    for (let length = readSync(source, chunk); length > 0; length = readSync(source, chunk)) {
      for (let at = 0; at < length; at += pageBytes) writeSync(target, chunk, at, Math.min(pageBytes, length - at));
    }
    fsyncSync(target);
  } finally {
    closeSync(source);
    closeSync(target);
  }
}

function submit(store: KeyValueStore, chainId: string, tenant: string, sequence: bigint): void {
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
    { chainId, height: 0n, hash: token, gas: new UnlimitedGas(), events: new EventList() },
    { typeUrl: typeUrls.submitDeployment, value: MsgSubmitDeployment.encode(message).finish() },
    "transaction",
  );
}

/** One group; the price in micro-units a block. */
export function terms(price: bigint): Infrastructure {
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

/** Whose the order of that index is, and under which number. */
export function orderAt(index: number): OpenOrder {
  return { tenant: index % tenants, sequence: BigInt(Math.floor(index / tenants) + 1) };
}
