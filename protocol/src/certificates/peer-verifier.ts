import { createHash, X509Certificate } from "node:crypto";
import { type CertificateIdentity, identityUri, parseIdentityUri } from "./identity";

export type PeerRefusal =
  | "no-certificate"
  | "malformed"
  | "no-root"
  | "not-yet-valid"
  | "expired"
  | "not-a-leaf"
  | "identity";

export type PeerVerdict =
  | { readonly valid: true; readonly identity: CertificateIdentity; readonly notAfter: Date }
  | { readonly valid: false; readonly reason: PeerRefusal; readonly message: string };

interface ParsedCertificate {
  readonly certificate: X509Certificate;
  readonly notBefore: Date;
  readonly notAfter: Date;
  /** Of the one URI in its SAN. Undefined: none, several, other names beside it, or one that is none of ours. */
  readonly identity: CertificateIdentity | undefined;
}

/** Parsing is slow and peers come back: this many are kept. */
const mostParsed = 512;

/**
 * Checks leaf certificates against exactly the given roots, and no others: not the system's, not an intermediate.
 * What the certificate says is parsed once and kept by fingerprint; whether it counts now is decided each time.
 */
export class PeerVerifier {
  private readonly parsed = new Map<string, ParsedCertificate>();
  /** Fingerprints of leaf and root, of pairs whose signature holds. */
  private readonly issued = new Set<string>();

  /**
   * `leaf`: DER as presented. `roots`: DER, as on the chain, of the datacenter that it should be of.
   * `expected`: what its URI SAN must say, where that is known beforehand. Never throws.
   */
  verify(
    leaf: Uint8Array | undefined,
    roots: readonly Uint8Array[],
    now: Date,
    expected?: CertificateIdentity,
  ): PeerVerdict {
    if (leaf === undefined || leaf.length === 0) return refuse("no-certificate", "no certificate was presented");
    const parsed = this.parse(leaf);
    if (parsed === undefined) return refuse("malformed", "what was presented is no X.509 certificate");
    const issuers = roots.filter((root) => this.isIssuedBy(leaf, parsed, root));
    if (issuers.length === 0) {
      return refuse("no-root", `the certificate is under none of the ${roots.length} roots that the chain names`);
    }
    if (parsed.certificate.ca) return refuse("not-a-leaf", "a certificate authority was presented in place of a leaf");
    const current = issuers
      .map((root) => this.parse(root))
      .filter((root) => root !== undefined && isCurrent(root, now));
    if (parsed.notBefore > now) {
      return refuse("not-yet-valid", `the certificate counts from ${parsed.notBefore.toISOString()} on`);
    }
    if (parsed.notAfter < now) return refuse("expired", `the certificate expired at ${parsed.notAfter.toISOString()}`);
    if (current.length === 0) return refuse("expired", "the root that the certificate is under has expired");
    if (parsed.identity === undefined) return refuse("identity", "the certificate names nobody by a single URI");
    if (expected !== undefined && identityUri(expected) !== identityUri(parsed.identity)) {
      return refuse("identity", `the certificate is for ${identityUri(parsed.identity)}, not ${identityUri(expected)}`);
    }
    return { valid: true, identity: parsed.identity, notAfter: parsed.notAfter };
  }

  /** Whom a certificate claims to be of. It proves nothing: it says against whose roots to verify it. Never throws. */
  claimOf(leaf: Uint8Array): CertificateIdentity | undefined {
    return this.parse(leaf)?.identity;
  }

  private isIssuedBy(leafDer: Uint8Array, leaf: ParsedCertificate, rootDer: Uint8Array): boolean {
    const pair = fingerprint(leafDer) + fingerprint(rootDer);
    if (this.issued.has(pair)) return true;
    const root = this.parse(rootDer)?.certificate;
    if (root === undefined || !root.ca) return false;
    // The signature by the root's own key decides: a look-alike has the same names, never the key.
    if (!leaf.certificate.checkIssued(root) || !leaf.certificate.verify(root.publicKey)) return false;
    bound(this.issued, mostParsed);
    this.issued.add(pair);
    return true;
  }

  private parse(der: Uint8Array): ParsedCertificate | undefined {
    const key = fingerprint(der);
    const known = this.parsed.get(key);
    if (known !== undefined) return known;
    try {
      const certificate = new X509Certificate(der);
      const [notBefore, notAfter] = [new Date(certificate.validFrom), new Date(certificate.validTo)];
      // One that can't be read as a time is neither before nor after any.
      if (Number.isNaN(notBefore.getTime()) || Number.isNaN(notAfter.getTime())) return undefined;
      // Several names are joined by commas, and one that could be taken for several is quoted: neither is an identity.
      const [, uri] = /^URI:(.*)$/.exec(certificate.subjectAltName ?? "") ?? [];
      const identity = uri === undefined ? undefined : parseIdentityUri(uri);
      const parsed = { certificate, notBefore, notAfter, identity };
      bound(this.parsed, mostParsed);
      this.parsed.set(key, parsed);
      return parsed;
    } catch {
      return undefined;
    }
  }
}

function isCurrent(certificate: ParsedCertificate, now: Date): boolean {
  return certificate.notBefore <= now && now <= certificate.notAfter;
}

function fingerprint(der: Uint8Array): string {
  return createHash("sha256").update(der).digest("hex");
}

/** Lets the oldest go. */
function bound(kept: Map<string, unknown> | Set<string>, most: number): void {
  for (const key of kept.keys()) {
    if (kept.size < most) return;
    kept.delete(key);
  }
}

function refuse(reason: PeerRefusal, message: string): PeerVerdict {
  return { valid: false, reason, message };
}
