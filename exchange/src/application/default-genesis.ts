import type { Genesis, Parameters } from "@dcx/protocol";
import { defaultParameters } from "../state/parameters";

export interface DefaultGenesisOptions {
  readonly chainId: string;
  /** Micro-units by bech32 address. */
  readonly accounts: readonly { readonly address: string; readonly balance: bigint }[];
  /** What differs from the parameters of an embedded network. */
  readonly parameters?: Partial<Parameters>;
  /** Default: udcx. */
  readonly denomination?: string;
  /** Default: dcx. */
  readonly addressPrefix?: string;
}

/** The genesis of an embedded network with these accounts. */
export function defaultGenesis(options: DefaultGenesisOptions): Genesis {
  return {
    chainId: options.chainId,
    denomination: options.denomination ?? "udcx",
    addressPrefix: options.addressPrefix ?? "dcx",
    parameters: { ...defaultParameters(), ...options.parameters },
    accounts: options.accounts.map((account) => ({ ...account })),
    validators: [],
  };
}
