import type { OfflineAminoSigner } from "@cosmjs/amino";

/** Name of the request header that carries it: base64url of its JSON. */
export const statementHeader = "dcx-statement";

/** "manage": everything a tenant may ask. "observe": status and logs only, no manifest. */
export type StatementPurpose = "manage" | "observe";

/** What a tenant or manager states to a datacenter's agent (design: "Handing it over"). */
export interface StatementClaims {
  readonly chainId: string;
  /** The account whose key signs. */
  readonly account: string;
  /** The deployment it speaks about. */
  readonly tenant: string;
  /** In decimal. */
  readonly sequence: string;
  /** SHA-256 of the client certificate's SubjectPublicKeyInfo (DER), in hexadecimal. */
  readonly clientKey: string;
  /** Address of the datacenter that is spoken to. */
  readonly datacenter: string;
  readonly purpose: StatementPurpose;
  /** Unix time in seconds after which it does not count. */
  readonly expires: number;
}

export interface SignedStatement {
  readonly claims: StatementClaims;
  /** Compressed secp256k1 key in base64. */
  readonly publicKey: string;
  /** 64 bytes in base64, over the ADR-36 sign document of `statementText(claims)`. */
  readonly signature: string;
}

export type StatementRefusal =
  | "malformed"
  | "signature"
  | "account"
  | "chain"
  | "deployment"
  | "client-key"
  | "datacenter"
  | "purpose"
  | "expired"
  | "too-long";

export interface StatementExpectation {
  readonly chainId: string;
  readonly datacenter: string;
  readonly tenant: string;
  readonly sequence: bigint;
  /** SHA-256 of the presented certificate's key, in hexadecimal. */
  readonly clientKey: string;
  readonly purpose: StatementPurpose;
  /** Milliseconds since 1970. */
  readonly now: number;
  readonly addressPrefix?: string;
}

export type StatementVerdict =
  | { readonly valid: true; readonly account: string; readonly expires: number }
  | { readonly valid: false; readonly reason: StatementRefusal; readonly message: string };

/** Signs with the account's key. Throws when the signer does not hold `claims.account`. */
export declare function signStatement(signer: OfflineAminoSigner, claims: StatementClaims): Promise<SignedStatement>;

/** The value of the header. */
export declare function encodeStatement(statement: SignedStatement): string;

/**
 * Whether a header's value is a statement of the account it names, about what is expected. It does not say that
 * the account may speak for the deployment: that is for the caller, from the chain. Never throws.
 */
export declare function verifyStatement(header: string, expected: StatementExpectation): Promise<StatementVerdict>;
