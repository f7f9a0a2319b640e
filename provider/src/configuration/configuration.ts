import type { SignerChoice } from "@dcx/protocol";

/** What a configured provider knows: where it deploys, as whom, for how much, and how patiently. */
export interface ProviderConfiguration {
  readonly network: NetworkChoice;
  /** Absent on the embedded network, which has a key of its own. */
  readonly signer: SignerChoice | undefined;
  /** Keeps the deployments of two stacks with the same URNs apart. */
  readonly namespace: string;
  /** From which K is derived, for signers that never show their key. Secret. */
  readonly namespaceKey: string | undefined;
  /** `http://` URL of the proxy through which agents are reached. Absent: none. */
  readonly agentProxy: string | undefined;
  /** What an infrastructure asks of its datacenter at least. */
  readonly minimumIsolation: IsolationClass | undefined;
  readonly fees: FeeSettings;
  /** Micro-units that all deployments of this process together may cost a month. */
  readonly maxCostPerMonth: bigint | undefined;
  /** Seconds that a create, update or delete may take where the resource does not say. */
  readonly timeouts: Timeouts;
  /** Milliseconds for which an exchange that does not answer is asked again. */
  readonly patience: number;
  /** Creates and updates end once their transaction is in a block. */
  readonly skipAwait: boolean;
}

export interface Timeouts {
  readonly create: number;
  readonly update: number;
  readonly delete: number;
}

export interface FeeSettings {
  readonly feeGranter: string | undefined;
  readonly gasPrice: GasPrice | undefined;
  readonly gasAdjustment: number | undefined;
  readonly gasLimit: bigint | undefined;
  /** Micro-units. */
  readonly maxFee: bigint | undefined;
}

export interface GasPrice {
  /** Micro-units for a unit of gas, scaled by 10^18. */
  readonly amount: bigint;
  /** As written, to compare with the chain's. */
  readonly denomination: string | undefined;
}

/** From the weakest to the strongest. */
export const isolationClasses = ["none", "sandbox", "container"] as const;
export type IsolationClass = (typeof isolationClasses)[number];

export type NetworkChoice =
  | {
      readonly kind: "embedded";
      /** Whether somebody asked for it, rather than nobody for anything else. */
      readonly said: boolean;
    }
  | {
      readonly kind: "exchange";
      /** At least one URL. */
      readonly endpoints: readonly string[];
      /** Absent: the chain that they agree on. */
      readonly chainId: string | undefined;
    };

export interface ConfigurationProblem {
  /** The setting. Never quote its value beside it if it is one of `secretSettings`. */
  readonly setting: string;
  /** A sentence without the setting's name that says what is wrong and what to do. */
  readonly reason: string;
}

/** The configuration does not say what it must. Its message names every problem and no secret. */
export class ConfigurationError extends Error {
  override readonly name = "ConfigurationError";
  constructor(readonly problems: readonly ConfigurationProblem[]) {
    super(problems.map(({ setting, reason }) => (setting === "" ? reason : `${setting}: ${reason}`)).join("\n"));
  }
}
