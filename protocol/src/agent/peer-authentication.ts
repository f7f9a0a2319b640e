import type { PeerVerifier } from "../certificates/peer-verifier";
import type { StatementPurpose } from "./statement";

/** What a caller of an agent presented. */
export interface PresentedIdentity {
  /** DER of the TLS client certificate, if any (`socket.getPeerCertificate().raw`). */
  readonly certificate: Uint8Array | undefined;
  /** Value of the header `dcx-statement`, if any. */
  readonly statement: string | undefined;
}

/** What is asked: which deployment, and what for. */
export interface AuthenticationRequest {
  readonly tenant: string;
  readonly sequence: bigint;
  readonly purpose: StatementPurpose;
}

/** What the agent knows from chain state no older than a few blocks. */
export interface AuthenticationContext {
  readonly chainId: string;
  /** This agent's datacenter. */
  readonly datacenter: string;
  readonly addressPrefix?: string;
  readonly now: Date;
  /** Whether the account is the deployment's tenant or one of its managers. */
  mayManage(account: string, tenant: string, sequence: bigint): boolean;
  /** DER of the roots that count now of the datacenters with an active lease of the deployment, by address. */
  holderRoots(tenant: string, sequence: bigint): ReadonlyMap<string, readonly Uint8Array[]>;
}

export type Caller =
  | { readonly kind: "account"; readonly account: string }
  | { readonly kind: "peer"; readonly datacenter: string };

export type AuthenticationVerdict =
  | { readonly accepted: true; readonly caller: Caller }
  | {
      readonly accepted: false;
      /** For the caller: says no more than it needs. */
      readonly code: string;
      readonly message: string;
      /** For the agent's log: what was presented. */
      readonly presented: string;
    };

/** Who the caller is, and whether that one may ask this. A refusal says why. Never throws. */
export declare function authenticateCaller(
  presented: PresentedIdentity,
  request: AuthenticationRequest,
  context: AuthenticationContext,
  verifier: PeerVerifier,
): Promise<AuthenticationVerdict>;

/** TLS options of an agent's server: TLS 1.3, no session tickets, a client certificate is asked for, not required. */
export declare function agentServerOptions(identity: { readonly certificate: string; readonly key: string }): {
  readonly cert: string;
  readonly key: string;
  readonly minVersion: "TLSv1.3";
  readonly requestCert: true;
  readonly rejectUnauthorized: false;
  readonly secureOptions: number;
};
