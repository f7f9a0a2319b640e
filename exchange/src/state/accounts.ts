import { AccountRecord, ExchangeErrorCode } from "@dcx/protocol";
import { ExchangeError } from "./errors";
import { tables, textKey } from "./keys";
import { Table } from "./records";
import type { KeyValueReader, KeyValueStore } from "./store";
import { adjustTotals, getTotals } from "./totals";

export interface Account {
  readonly address: string;
  /** secp256k1, compressed, 33 bytes; absent until its first transaction. */
  readonly publicKey?: Uint8Array;
  readonly accountNumber: bigint;
  readonly sequence: bigint;
  /** Micro-units. */
  readonly balance: bigint;
}

const table = new Table<string, AccountRecord>(tables.account, textKey, AccountRecord);

export function getAccount(store: KeyValueReader, address: string): Account | undefined {
  const record = table.get(store, address);
  if (record === undefined) return undefined;
  const { address: own, accountNumber, sequence, balance, publicKey } = record;
  const account = { address: own, accountNumber, sequence, balance };
  return publicKey.length === 0 ? account : { ...account, publicKey };
}

/** Writes an account as it is given. The totals are the caller's. */
export function putAccount(store: KeyValueStore, account: Account): void {
  table.put(store, account.address, {
    address: account.address,
    accountNumber: account.accountNumber,
    sequence: account.sequence,
    balance: account.balance,
    publicKey: account.publicKey ?? new Uint8Array(0),
  });
}

export function balanceOf(store: KeyValueReader, address: string): bigint {
  return table.get(store, address)?.balance ?? 0n;
}

/** Adds to a balance, making the account where there is none. Totals are the caller's. */
export function credit(store: KeyValueStore, address: string, amount: bigint): void {
  if (amount === 0n) return;
  const account = table.get(store, address);
  if (account !== undefined) {
    table.put(store, address, { ...account, balance: account.balance + amount });
    return;
  }
  makeAccount(store, address, amount);
}

/** Makes an account without tokens where there is none. */
export function ensureAccount(store: KeyValueStore, address: string): void {
  if (table.get(store, address) === undefined) makeAccount(store, address, 0n);
}

function makeAccount(store: KeyValueStore, address: string, balance: bigint): void {
  const accountNumber = getTotals(store).accounts;
  adjustTotals(store, { accounts: 1n });
  putAccount(store, { address, accountNumber, sequence: 0n, balance });
}

/**
 * Takes from a balance. Totals are the caller's.
 * @throws ExchangeError InsufficientFunds, naming what for
 */
export function debit(store: KeyValueStore, address: string, amount: bigint, purpose: string): void {
  if (amount === 0n) return;
  const account = table.get(store, address);
  const balance = account?.balance ?? 0n;
  if (account === undefined || balance < amount)
    throw new ExchangeError(
      ExchangeErrorCode.InsufficientFunds,
      `${address} has ${balance} micro-units, ${purpose} takes ${amount}`,
    );
  table.put(store, address, { ...account, balance: balance - amount });
}

/**
 * Puts the fees of a block (micro-units), which accounts have paid, into the fee pool.
 *
 * PERF: once a block, for the totals are one record, and each transaction would write it again.
 */
export function collectFees(store: KeyValueStore, amount: bigint): void {
  if (amount !== 0n) adjustTotals(store, { balances: -amount, feePool: amount });
}
