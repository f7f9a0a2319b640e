import type { QueryTotalsResponse } from "../generated/dcx/exchange/v1/query";

/**
 * All tokens there are (micro-units), wherever they lie. With those that were burnt they are what the genesis had and
 * the interest minted since.
 */
export function allTokens(totals: QueryTotalsResponse): bigint {
  const { balances, collateral, deposits, feePool, staked, unbonding, rewards, proposalDeposits } = totals;
  return balances + collateral + deposits + feePool + staked + unbonding + rewards + proposalDeposits;
}
