import { constants, X509Certificate } from "node:crypto";
import type { CertificateIdentity } from "../certificates/identity";
import type { PeerVerifier } from "../certificates/peer-verifier";
import { publicKeyDigest } from "../certificates/x509";
import { type StatementPurpose, statementHeader, verifyStatement } from "./statement";

/** What a caller of an agent presented. */
export interface PresentedIdentity {
  /** DER of the TLS client certificate, if any (`socket.getPeerX509Certificate()?.raw`). */
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

export type AuthenticationRefusal = "no-certificate" | "certificate" | "statement" | "not-a-manager" | "not-a-holder";

export type AuthenticationVerdict =
  | { readonly accepted: true; readonly caller: Caller }
  | {
      readonly accepted: false;
      /** `code` of the ApiError. */
      readonly code: AuthenticationRefusal;
      /** `message` of the ApiError. */
      readonly message: string;
      /** For the agent's log: what was presented. Holds no secret. */
      readonly presented: string;
    };

/**
 * Who the caller is, and whether that one has a say in this deployment: an account by its statement over the client
 * certificate, a peer by a certificate under the root of a holder. TLS has proven already that the caller has the
 * certificate's key. Which of the two may ask for what is the API's to say. Never throws.
 */
export async function authenticateCaller(
  presented: PresentedIdentity,
  request: AuthenticationRequest,
  context: AuthenticationContext,
  verifier: PeerVerifier,
): Promise<AuthenticationVerdict> {
  const { certificate, statement } = presented;
  const refuse = (code: AuthenticationRefusal, message: string): AuthenticationVerdict => ({
    accepted: false,
    code,
    message,
    presented: describePresented(presented),
  });
  if (certificate === undefined || certificate.length === 0) {
    return refuse("no-certificate", "a client certificate is needed, and none was presented");
  }
  if (statement === undefined) return authenticatePeer(certificate, request, context, verifier, refuse);
  const facts = clientFacts(certificate);
  if (facts === undefined) return refuse("certificate", "the client certificate can't be read");
  if (facts.validFrom > context.now || facts.validTo < context.now) {
    return refuse("certificate", "the client certificate has expired or does not count yet: make a fresh one");
  }
  const verdict = await verifyStatement(statement, {
    chainId: context.chainId,
    datacenter: context.datacenter,
    tenant: request.tenant,
    sequence: request.sequence,
    clientKey: facts.key,
    purpose: request.purpose,
    now: context.now.getTime(),
    ...(context.addressPrefix === undefined ? {} : { addressPrefix: context.addressPrefix }),
  });
  if (!verdict.valid) return refuse("statement", verdict.message);
  if (!context.mayManage(verdict.account, request.tenant, request.sequence)) {
    return refuse(
      "not-a-manager",
      `${verdict.account} is neither tenant nor manager of deployment ${request.tenant}/${request.sequence}`,
    );
  }
  return { accepted: true, caller: { kind: "account", account: verdict.account } };
}

function authenticatePeer(
  certificate: Uint8Array,
  request: AuthenticationRequest,
  context: AuthenticationContext,
  verifier: PeerVerifier,
  refuse: (code: AuthenticationRefusal, message: string) => AuthenticationVerdict,
): AuthenticationVerdict {
  const holders = context.holderRoots(request.tenant, request.sequence);
  let closest: string | undefined;
  // Of many holders the one that it claims to be is looked at first.
  const claimed = verifier.claimOf(certificate)?.datacenter ?? "";
  const first = [...holders].filter(([datacenter]) => datacenter === claimed);
  for (const [datacenter, roots] of [...first, ...holders]) {
    const expected: CertificateIdentity = { chainId: context.chainId, datacenter };
    const verdict = verifier.verify(certificate, roots, context.now, expected);
    if (verdict.valid) return { accepted: true, caller: { kind: "peer", datacenter } };
    if (verdict.reason !== "no-root") closest = verdict.message;
  }
  if (closest !== undefined) return refuse("certificate", closest);
  return refuse(
    "not-a-holder",
    `the certificate is under the root of no datacenter with an active lease of deployment ` +
      `${request.tenant}/${request.sequence}, and there is no header ${statementHeader}`,
  );
}

function clientFacts(certificate: Uint8Array): { key: string; validFrom: Date; validTo: Date } | undefined {
  try {
    const { validFrom, validTo } = new X509Certificate(certificate);
    return { key: publicKeyDigest(certificate), validFrom: new Date(validFrom), validTo: new Date(validTo) };
  } catch {
    return undefined;
  }
}

function describePresented({ certificate, statement }: PresentedIdentity): string {
  const parts: string[] = [];
  try {
    if (certificate === undefined || certificate.length === 0) parts.push("no certificate");
    else {
      const { fingerprint256, subject, subjectAltName, validTo } = new X509Certificate(certificate);
      const name = subjectAltName ?? subject ?? "no name";
      parts.push(`certificate ${fingerprint256} (${name.replaceAll("\n", ", ")}, until ${validTo})`);
    }
  } catch {
    parts.push("a certificate that can't be read");
  }
  // The statement counts only with the client's key, yet a log is no place for a signature.
  parts.push(statement === undefined ? "no statement" : `a statement of ${statement.length} bytes`);
  return parts.join(", ");
}

/** What an agent's server needs for TLS. */
export interface AgentServerOptions {
  readonly cert: string;
  readonly key: string;
  readonly minVersion: "TLSv1.3";
  readonly requestCert: true;
  readonly rejectUnauthorized: false;
  readonly secureOptions: number;
}

/**
 * TLS options of an agent's server: TLS 1.3; a client certificate is asked for, and judged by `authenticateCaller`
 * in place of OpenSSL; no session tickets, with which a client gets in after its certificate has expired.
 */
export function agentServerOptions(identity: {
  readonly certificate: string;
  readonly key: string;
}): AgentServerOptions {
  return {
    cert: identity.certificate,
    key: identity.key,
    minVersion: "TLSv1.3",
    requestCert: true,
    rejectUnauthorized: false,
    secureOptions: constants.SSL_OP_NO_TICKET,
  };
}
