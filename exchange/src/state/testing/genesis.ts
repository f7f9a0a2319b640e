import type { Attribute, Genesis, Parameters } from "@dcx/protocol";
import { initializeGenesis } from "../machine";
import { defaultParameters } from "../parameters";
import { scale } from "../quantities";
import { datacenters } from "../records";
import type { KeyValueStore } from "../store";
import { addressOf, consensusKeyOf } from "./names";

/** Short periods, so that a scenario's numbers can be followed by hand. Interest is a thousandth a block. */
const shortPeriods: Parameters = {
  ...defaultParameters(),
  reconfirmationPeriod: 10n,
  collateralInterestRate: (scale / 1_000n).toString(),
  maxInterestPerBlock: 1_000n,
  maxWaitDuration: 10n,
  maxFulfillmentsPerOrder: 3,
  orderExpiry: 50n,
  exclusionPeriod: 15n,
  handoverPeriod: 8n,
  noticePeriod: 6n,
  closedRetention: 40n,
  maxValidators: 3,
  powerReduction: 10n,
  unbondingPeriod: 12n,
  maxUnbondings: 3,
  commissionPeriod: 5n,
  doubleSignSlash: 100_000,
  signingWindow: 6n,
  minSigned: 500,
  absenceSlash: 10_000,
  absenceJail: 5n,
  proposalDeposit: 100n,
  votingPeriod: 6n,
};

export interface WorldOptions {
  readonly parameters?: Partial<Parameters>;
  /** Balances by name of tenants and others. */
  readonly accounts?: Readonly<Record<string, bigint>>;
  /** Stake by name of operators, besides what balance they have. */
  readonly validators?: Readonly<Record<string, bigint>>;
  readonly datacenters?: Readonly<Record<string, { region: string; attributes?: Attribute[]; balance?: bigint }>>;
}

export const chainId = "world-1";

/** The genesis of a world. */
export function worldGenesis(options: WorldOptions): Genesis {
  const sites = Object.entries(options.datacenters ?? {});
  return {
    chainId,
    denomination: "udcx",
    addressPrefix: "dcx",
    parameters: { ...shortPeriods, ...options.parameters },
    accounts: [
      ...Object.entries(options.accounts ?? {}).map(([name, balance]) => ({ address: addressOf(name), balance })),
      ...sites.map(([name, { balance }]) => ({ address: addressOf(name), balance: balance ?? 100_000n })),
    ],
    validators: Object.entries(options.validators ?? {}).map(([name, stake]) => ({
      operator: addressOf(name),
      consensusKey: consensusKeyOf(name),
      moniker: name,
      stake,
    })),
  };
}

/** Its state at height 0: datacenters are there as if they had registered. */
export function initializeWorld(store: KeyValueStore, options: WorldOptions): void {
  initializeGenesis(store, worldGenesis(options));
  for (const [name, { region, attributes }] of Object.entries(options.datacenters ?? {}))
    datacenters.put(store, addressOf(name), {
      address: addressOf(name),
      region,
      attributes: attributes ?? [],
      agentUrls: [],
      tunnelAddresses: [],
      roots: [],
      registeredHeight: 0n,
    });
}
