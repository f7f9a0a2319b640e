import { TotalsRecord } from "@dcx/protocol";
import { tables } from "./keys";
import { present, Table } from "./records";
import type { KeyValueReader, KeyValueStore } from "./store";

/** Running sums, so that the query for totals is one read; the invariants compute them again from the records. */
const table = new Table<void, TotalsRecord>(tables.totals, () => "", TotalsRecord);

export type TotalsChange = Partial<TotalsRecord>;

export function getTotals(store: KeyValueReader): TotalsRecord {
  return present(table.get(store, undefined), "totals");
}

/** All tokens there are, wherever they lie. */
export function supplyOf(totals: TotalsRecord): bigint {
  const { balances, collateral, deposits, feePool, staked, unbonding, rewards, proposalDeposits } = totals;
  return balances + collateral + deposits + feePool + staked + unbonding + rewards + proposalDeposits;
}

export function startTotals(store: KeyValueStore): void {
  table.put(store, undefined, TotalsRecord.fromPartial({}));
}

/** Adds the given differences (negative ones subtract). */
export function adjustTotals(store: KeyValueStore, change: TotalsChange): TotalsRecord {
  const totals = getTotals(store);
  totals.balances += change.balances ?? 0n;
  totals.collateral += change.collateral ?? 0n;
  totals.deposits += change.deposits ?? 0n;
  totals.feePool += change.feePool ?? 0n;
  totals.genesisSupply += change.genesisSupply ?? 0n;
  totals.interestMinted += change.interestMinted ?? 0n;
  totals.openOrders += change.openOrders ?? 0n;
  totals.activeLeases += change.activeLeases ?? 0n;
  totals.activeDeployments += change.activeDeployments ?? 0n;
  totals.accounts += change.accounts ?? 0n;
  totals.staked += change.staked ?? 0n;
  totals.unbonding += change.unbonding ?? 0n;
  totals.rewards += change.rewards ?? 0n;
  totals.proposalDeposits += change.proposalDeposits ?? 0n;
  totals.burnt += change.burnt ?? 0n;
  table.put(store, undefined, totals);
  return totals;
}
