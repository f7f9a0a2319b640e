import type { Genesis } from "@dcx/protocol";
import { credit, getAccount } from "./accounts";
import { invalid } from "./errors";
import { startInterest } from "./interest";
import { checkParameters } from "./parameters";
import { maxSupply } from "./quantities";
import { chains, parameterTable } from "./records";
import type { KeyValueStore } from "./store";
import { adjustTotals, startTotals } from "./totals";
import { addressProblem } from "./validation";

/**
 * Fills an empty store with the state at height 0.
 * @throws ExchangeError InvalidMessage naming what no chain can start from; the store is to be thrown away then
 */
export function initializeGenesis(store: KeyValueStore, genesis: Genesis): void {
  const { chainId, denomination, addressPrefix, parameters, accounts } = genesis;
  if (!/^[A-Za-z0-9][A-Za-z0-9-]{0,47}$/.test(chainId))
    throw invalid("genesis.chain_id", "must be 1 to 48 letters, digits or dashes");
  if (!/^[a-z][a-z0-9/]{2,63}$/.test(denomination))
    throw invalid("genesis.denomination", "must be 3 to 64 lower-case letters or digits");
  if (!/^[a-z]{1,16}$/.test(addressPrefix))
    throw invalid("genesis.address_prefix", "must be 1 to 16 lower-case letters");
  if (parameters === undefined) throw invalid("genesis.parameters", "are missing");
  checkParameters(parameters);
  chains.put(store, undefined, { chainId, denomination, addressPrefix });
  parameterTable.put(store, undefined, parameters);
  startTotals(store);
  startInterest(store);
  for (const { address, balance } of accounts) {
    const problem = addressProblem(address, addressPrefix);
    if (problem !== undefined) throw invalid("genesis.accounts", problem);
    if (balance < 1n) throw invalid("genesis.accounts", `the balance of ${address} must be at least 1`);
    if (getAccount(store, address) !== undefined) throw invalid("genesis.accounts", `has ${address} twice`);
    credit(store, address, balance);
    const { genesisSupply } = adjustTotals(store, { balances: balance, genesisSupply: balance });
    if (genesisSupply > maxSupply) throw invalid("genesis.accounts", `balances add up to more than ${maxSupply}`);
  }
}
