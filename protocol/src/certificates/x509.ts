/** A certificate with its key, both PEM (the key PKCS #8). Never goes into a log. */
export interface CertificateWithKey {
  readonly certificate: string;
  readonly key: string;
}

export interface Validity {
  readonly notBefore: Date;
  readonly notAfter: Date;
}

/** What the URI SAN of a leaf names: a datacenter's agent, or a workload's end of a tunnel. */
export interface CertificateIdentity {
  readonly chainId: string;
  readonly datacenter: string;
  /** With it: the workload of this lease (by its text id). */
  readonly workload?: { readonly lease: string; readonly name: string };
}

/** spiffe://<chainId>/datacenter/<address>[/lease/<text id, four segments>/workload/<name>] */
export declare function identityUri(identity: CertificateIdentity): string;
export declare function parseIdentityUri(uri: string): CertificateIdentity | undefined;

/** A datacenter's root (P-256, CA, path length 0). ~10 ms. */
export declare function createDatacenterRoot(
  identity: { readonly chainId: string; readonly datacenter: string },
  validity: Validity,
): Promise<CertificateWithKey>;

/** A leaf under that root, for both ends of TLS. It never outlives its root. */
export declare function createLeaf(
  root: CertificateWithKey,
  identity: CertificateIdentity,
  validity: Validity,
): Promise<CertificateWithKey>;

/** A fresh self-signed certificate that names nobody: the statement binds its key to an account. */
export declare function createClientCertificate(validity: Validity): Promise<CertificateWithKey>;

/** DER of the first certificate in a PEM text. Throws when there is none. */
export declare function certificateDer(pem: string): Uint8Array;

/** SHA-256 of a certificate's SubjectPublicKeyInfo, in hexadecimal. */
export declare function publicKeyDigest(certificateDer: Uint8Array): string;

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

/** Checks leaf certificates against exactly the given roots. Parsed certificates are kept by fingerprint. */
export declare class PeerVerifier {
  static create(): Promise<PeerVerifier>;
  /**
   * `leaf`: DER as presented. `roots`: DER, as on the chain, of the datacenter that it should be of.
   * `expected`: what its URI SAN must say, where that is known beforehand. Never throws.
   */
  verify(
    leaf: Uint8Array | undefined,
    roots: readonly Uint8Array[],
    now: Date,
    expected?: CertificateIdentity,
  ): PeerVerdict;
}
