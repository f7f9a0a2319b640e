import type { Coin } from "cosmjs-types/cosmos/base/v1beta1/coin";
import { invalid } from "./errors";
import { maxSupply } from "./quantities";
import { getChain } from "./records";
import type { KeyValueReader } from "./store";

/** The micro-units of a coin of this chain's token. @throws ExchangeError InvalidMessage where it is not 1 or more */
export function tokensOf(store: KeyValueReader, coin: Coin | undefined, field: string): bigint {
  const { denomination } = getChain(store);
  if (coin === undefined) throw invalid(field, "must be one coin");
  if (coin.denom !== denomination) throw invalid(field, `this chain's token is ${denomination}, not ${coin.denom}`);
  if (!/^[1-9][0-9]{0,18}$/.test(coin.amount) || BigInt(coin.amount) > maxSupply)
    throw invalid(field, `must be 1 to ${maxSupply} ${denomination}`);
  return BigInt(coin.amount);
}
