import { createPublicKey, type KeyObject, sign, verify } from "node:crypto";
import { frame } from "../identifiers/frame";
import { readCertificate } from "./read-certificate";

/** What ties a datacenter's root certificate to one chain and one account. */
export interface RootClaim {
  readonly chainId: string;
  /** The account's address. */
  readonly datacenter: string;
  /** X.509, DER. */
  readonly certificate: Uint8Array;
}

/** ECDSA signatures over the curve in fixed length: r and s of 32 bytes each (IEEE P1363). */
const PROOF_LENGTH = 64;
const SIGNATURE_ENCODING = "ieee-p1363";

/** Longest certificate that is looked at, in bytes. */
export const MAX_CERTIFICATE_BYTES = 8192;

/**
 * The bytes that a root certificate's key signs so that nobody can register somebody else's root, or one's own on
 * another chain or account (types.proto: RootCertificate.proof).
 */
export function rootProofPayload(chainId: string, datacenter: string, certificate: Uint8Array): Uint8Array {
  return frame("dcx root certificate proof v1", chainId, datacenter, certificate);
}

/**
 * Proves possession of a root certificate's key.
 * @param privateKey the certificate's own P-256 key
 * @returns 64 bytes
 */
export function createRootProof(claim: RootClaim, privateKey: KeyObject): Uint8Array {
  const payload = rootProofPayload(claim.chainId, claim.datacenter, claim.certificate);
  return new Uint8Array(sign("sha256", payload, { key: privateKey, dsaEncoding: SIGNATURE_ENCODING }));
}

/**
 * Says why a root certificate can't be registered with this proof, or nothing where it can: it is one X.509
 * certificate, of a certificate authority that may sign certificates, with a P-256 key that signed the claim.
 *
 * Part of the state machine: a pure function of its arguments, the same on every machine. It reads no clock; whether
 * a certificate has run out is for whoever uses it to see. The certificate is parsed by our own pinned dependency and
 * not by the machine's OpenSSL, which gets only a key in its one canonical encoding and a signature of fixed length.
 */
export function rootCertificateProblem(claim: RootClaim, proof: Uint8Array): string | undefined {
  if (claim.certificate.length > MAX_CERTIFICATE_BYTES) {
    return `the certificate is longer than ${MAX_CERTIFICATE_BYTES} bytes`;
  }
  const certificate = readCertificate(claim.certificate);
  if (typeof certificate === "string") {
    return certificate;
  }
  if (!certificate.authority) {
    return "the certificate is not that of an authority: its basicConstraints must say CA";
  }
  if (!certificate.signsCertificates) {
    return "the certificate's keyUsage does not include keyCertSign";
  }
  if (!isP256(certificate.publicKey)) {
    return "the certificate's key is not an uncompressed one of P-256";
  }
  if (proof.length !== PROOF_LENGTH) {
    return `the proof has ${proof.length} bytes instead of ${PROOF_LENGTH}`;
  }
  const payload = rootProofPayload(claim.chainId, claim.datacenter, claim.certificate);
  if (!verifyP256(certificate.publicKey, payload, proof)) {
    return "the proof was not made by the certificate's key for this chain and account";
  }
  return undefined;
}

/** DER of a SubjectPublicKeyInfo of an uncompressed P-256 point, up to the point's coordinates. */
const P256_PREFIX = Buffer.from("3059301306072a8648ce3d020106082a8648ce3d03010703420004", "hex");
const P256_LENGTH = P256_PREFIX.length + 64;

function isP256(publicKey: Uint8Array): boolean {
  return publicKey.length === P256_LENGTH && P256_PREFIX.equals(publicKey.subarray(0, P256_PREFIX.length));
}

function verifyP256(publicKey: Uint8Array, payload: Uint8Array, signature: Uint8Array): boolean {
  let key: KeyObject;
  try {
    key = createPublicKey({ key: Buffer.from(publicKey), format: "der", type: "spki" });
  } catch {
    // The coordinates are no point of the curve.
    return false;
  }
  return verify("sha256", payload, { key, dsaEncoding: SIGNATURE_ENCODING }, signature);
}
