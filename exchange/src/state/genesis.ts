import type { Genesis, GenesisValidator } from "@dcx/protocol";
import { consensusAddressOf } from "../consensus-key";
import { credit, getAccount } from "./accounts";
import { EventList } from "./context";
import { addStake } from "./delegations";
import { electValidators } from "./elections";
import { invalid } from "./errors";
import { startInterest } from "./interest";
import { checkParameters } from "./parameters";
import { maxSupply } from "./quantities";
import { chains, parameterTable } from "./records";
import type { KeyValueStore } from "./store";
import { adjustTotals, startTotals } from "./totals";
import { addressProblem } from "./validation";
import { enterValidator, operatorByConsensusAddress, takeNumber, validators } from "./validators";

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
  for (const validator of genesis.validators) enterGenesisValidator(store, genesis, validator);
  if (genesis.validators.length > 0 && electValidators(store).length === 0)
    throw invalid("genesis.validators", "none of them has enough stake for a unit of power");
}

/** What a validator of the first block takes of the fees, until its operator says otherwise: a tenth, at most a fifth. */
const firstCommission = { rate: "100000000000000000", maxRate: "200000000000000000", maxChange: "10000000000000000" };

function enterGenesisValidator(store: KeyValueStore, genesis: Genesis, validator: GenesisValidator): void {
  const { operator, consensusKey, moniker, stake } = validator;
  const problem = addressProblem(operator, genesis.addressPrefix);
  if (problem !== undefined) throw invalid("genesis.validators", problem);
  if (consensusKey.length !== 32) throw invalid("genesis.validators", `the key of ${operator} must have 32 bytes`);
  if (stake < 1n) throw invalid("genesis.validators", `the stake of ${operator} must be at least 1`);
  if (validators.get(store, operator) !== undefined) throw invalid("genesis.validators", `has ${operator} twice`);
  if (operatorByConsensusAddress(store, consensusAddressOf(consensusKey)) !== undefined)
    throw invalid("genesis.validators", `has the key of ${operator} twice`);
  enterValidator(store, {
    operator,
    consensusKey,
    description: { moniker, identity: "", website: "", securityContact: "", details: "" },
    commission: { ...firstCommission, changedHeight: 0n },
    minSelfDelegation: 1n,
    tokens: 0n,
    shares: "0",
    power: 0n,
    jailed: false,
    tombstoned: false,
    jailedUntil: 0n,
    number: takeNumber(store),
  });
  const context = { chainId: genesis.chainId, height: 0n, events: new EventList() };
  addStake(store, context, { delegator: operator, validator: operator }, stake);
  const { genesisSupply } = adjustTotals(store, { genesisSupply: stake });
  if (genesisSupply > maxSupply) throw invalid("genesis.validators", `stake makes for more than ${maxSupply}`);
}
