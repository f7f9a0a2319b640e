/** What a configured provider knows: where it deploys, as whom, and how patiently. */
export interface ProviderConfiguration {
  readonly network: NetworkChoice;
  /** Absent on the embedded network, which has a key of its own. */
  readonly signer: SignerChoice | undefined;
  /** Keeps the deployments of two stacks with the same URNs apart. */
  readonly namespace: string;
  /** From which K is derived, for signers that never show their key. Secret. */
  readonly namespaceKey: string | undefined;
  /** Seconds that a create, update or delete may take where the resource does not say. */
  readonly timeout: number;
  /** Creates and updates end once their transaction is in a block. */
  readonly skipAwait: boolean;
}

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
      /** Absent: whatever chain answers there. */
      readonly chainId: string | undefined;
    };

/** `mnemonic` and `privateKey` hold the secret itself. */
export type SignerChoice =
  | { readonly kind: "mnemonic"; readonly mnemonic: string }
  /** 64 hexadecimal digits. */
  | { readonly kind: "privateKey"; readonly privateKey: string }
  | { readonly kind: "keyFile"; readonly path: string };

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

export const settings = [
  "network",
  "endpoints",
  "chainId",
  "mnemonic",
  "privateKey",
  "keyFile",
  "namespace",
  "namespaceKey",
  "timeout",
  "skipAwait",
] as const;
export type Setting = (typeof settings)[number];

/** Encrypted in state and never printed, however they were written. */
export const secretSettings: ReadonlySet<string> = new Set<Setting>(["mnemonic", "privateKey", "namespaceKey"]);

/** Where a setting is looked for when the program and the stack don't have it. */
export const environmentOf: Readonly<Partial<Record<Setting, string>>> = {
  network: "DCX_NETWORK",
  endpoints: "DCX_ENDPOINTS",
  chainId: "DCX_CHAIN_ID",
  mnemonic: "DCX_MNEMONIC",
  privateKey: "DCX_PRIVATE_KEY",
  keyFile: "DCX_KEY_FILE",
  namespace: "DCX_NAMESPACE",
  namespaceKey: "DCX_NAMESPACE_KEY",
};
