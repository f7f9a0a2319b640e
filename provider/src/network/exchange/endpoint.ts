import type { AccountSigner, TenantKey } from "@dcx/protocol";

/** What K is derived from an account's key for: the same however that key was given. */
export const tenantKeyPurpose = "dcx tenant key v1";

/** Where an exchange answers, and who speaks to it. */
export interface ExchangeEndpoint {
  /** `embedded` or `exchange`. */
  readonly network: string;
  readonly endpoints: readonly string[];
  /** Absent: whatever chain answers there. */
  readonly chainId: string | undefined;
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
export function fixedEndpoint(endpoint: () => Promise<ExchangeEndpoint>): EndpointSource {
  return { locate: endpoint, start: endpoint, isGone: () => false };
}
