import type { AccountSigner, TenantKey } from "@dcx/protocol";
import type { FeeSettings } from "../../configuration/configuration";

/** What K is derived from an account's key for: the same however that key was given. */
export const tenantKeyPurpose = "dcx tenant key v1";

/** Where an exchange answers, and who speaks to it. */
export interface ExchangeEndpoint {
  /** `embedded` or `exchange`. */
  readonly network: string;
  readonly endpoints: readonly string[];
  /** Absent: whatever chain answers there. */
  readonly chainId: string | undefined;
  /** Opened once the prefix of the chain's addresses is known. */
  readonly account: (addressPrefix: string) => Promise<TenantAccount>;
  readonly fees: FeeSettings;
  /** Milliseconds that one signature may take: where a person confirms it, long. */
  readonly signingTime?: number | undefined;
  /** Milliseconds for which an exchange that does not answer is asked again. */
  readonly patience: number | undefined;
  /** `http://` URL of the proxy through which agents are reached. */
  readonly agentProxy?: string | undefined;
}

/** Who deploys. */
export interface TenantAccount {
  readonly signer: AccountSigner;
  /** K: whatever must be computed again is derived from it. */
  readonly tenantKey: TenantKey;
}

/** Finds an exchange, and starts it where it is the user's own. */
export interface EndpointSource {
  /** `undefined`: there is none yet, and `start` would make it. Starts nothing. */
  locate(signal: AbortSignal): Promise<ExchangeEndpoint | undefined>;
  start(status: (line: string) => void, signal: AbortSignal): Promise<ExchangeEndpoint>;
  /** Whether this chain is known to be gone for good. */
  isGone(chain: string): boolean;
}

/** An exchange that somebody runs: it is where the configuration says. */
export function fixedEndpoint(endpoint: ExchangeEndpoint): EndpointSource {
  const found = async (): Promise<ExchangeEndpoint> => endpoint;
  return { locate: found, start: found, isGone: () => false };
}
