import { createHash, webcrypto, X509Certificate } from "node:crypto";
import type * as Library from "@peculiar/x509";
import { type CertificateIdentity, identityUri } from "./identity";

export { type CertificateIdentity, identityUri, parseIdentityUri } from "./identity";

/** A certificate with its key, both PEM (the key PKCS #8). Never goes into a log. */
export interface CertificateWithKey {
  readonly certificate: string;
  readonly key: string;
}

export interface Validity {
  readonly notBefore: Date;
  readonly notAfter: Date;
}

const algorithm = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" } as const;
const tlsServer = "1.3.6.1.5.5.7.3.1";
/** What OpenSSL calls the first of two: TLS client and TLS server. */
const bothEndsOfTls = ["1.3.6.1.5.5.7.3.2", tlsServer];

/** Loaded when a certificate is made or read: it takes longer to load than a plugin may take to start. */
export async function loadX509(): Promise<typeof Library> {
  await import("reflect-metadata");
  return import("@peculiar/x509");
}

/**
 * A datacenter's root: P-256, CA with path length 0, for signing certificates and revocation lists only. Its subject
 * is for people; what it is trusted for is written on the chain.
 */
export async function createDatacenterRoot(
  identity: { readonly chainId: string; readonly datacenter: string },
  validity: Validity,
): Promise<CertificateWithKey> {
  const x509 = await loadX509();
  const keys = await newKeys();
  const certificate = await x509.X509CertificateGenerator.createSelfSigned(
    {
      serialNumber: newSerialNumber(),
      name: new x509.Name([{ CN: [identity.datacenter] }, { O: [identity.chainId] }]),
      ...validity,
      keys,
      signingAlgorithm: algorithm,
      extensions: [
        new x509.BasicConstraintsExtension(true, 0, true),
        new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.cRLSign, true),
        await x509.SubjectKeyIdentifierExtension.create(keys.publicKey),
      ],
    },
    webcrypto,
  );
  return { certificate: certificate.toString("pem"), key: await exportKey(keys) };
}

/** A leaf under that root, for both ends of TLS, named by its URI alone. It never outlives its root. */
export async function createLeaf(
  root: CertificateWithKey,
  identity: CertificateIdentity,
  validity: Validity,
): Promise<CertificateWithKey> {
  return issueLeaf(root, [{ type: "url", value: identityUri(identity) }], bothEndsOfTls, validity);
}

/**
 * A TLS server's leaf under that root for these host names (`*.` for one label before the rest). It names no identity, so
 * no peer takes it for an agent or a workload. It never outlives its root.
 */
export async function createHostLeaf(
  root: CertificateWithKey,
  hosts: readonly string[],
  validity: Validity,
): Promise<CertificateWithKey> {
  const names = hosts.map((value) => ({ type: "dns", value }) as const);
  return issueLeaf(root, names, [tlsServer], validity);
}

async function issueLeaf(
  root: CertificateWithKey,
  names: Library.JsonGeneralNames,
  purposes: readonly string[],
  validity: Validity,
): Promise<CertificateWithKey> {
  const x509 = await loadX509();
  const keys = await newKeys();
  const issuer = new x509.X509Certificate(root.certificate);
  const certificate = await x509.X509CertificateGenerator.create(
    {
      serialNumber: newSerialNumber(),
      issuer: issuer.subjectName,
      notBefore: new Date(Math.max(validity.notBefore.getTime(), issuer.notBefore.getTime())),
      notAfter: new Date(Math.min(validity.notAfter.getTime(), issuer.notAfter.getTime())),
      publicKey: keys.publicKey,
      signingKey: await importSigningKey(root.key),
      signingAlgorithm: algorithm,
      extensions: [
        ...(await leafExtensions(x509, keys.publicKey, purposes)),
        await x509.AuthorityKeyIdentifierExtension.create(await issuer.publicKey.export(webcrypto)),
        // Critical, because the subject is empty (RFC 5280, 4.2.1.6).
        new x509.SubjectAlternativeNameExtension(names, true),
      ],
    },
    webcrypto,
  );
  return { certificate: certificate.toString("pem"), key: await exportKey(keys) };
}

/** A fresh self-signed certificate that names nobody: a statement binds its key to an account. */
export async function createClientCertificate(validity: Validity): Promise<CertificateWithKey> {
  const x509 = await loadX509();
  const keys = await newKeys();
  const certificate = await x509.X509CertificateGenerator.createSelfSigned(
    {
      serialNumber: newSerialNumber(),
      name: new x509.Name([{ CN: ["dcx client"] }]),
      ...validity,
      keys,
      signingAlgorithm: algorithm,
      extensions: await leafExtensions(x509, keys.publicKey, bothEndsOfTls),
    },
    webcrypto,
  );
  return { certificate: certificate.toString("pem"), key: await exportKey(keys) };
}

/** DER of the first certificate in a PEM text. Throws when there is none. */
export function certificateDer(pem: string): Uint8Array {
  return Uint8Array.from(new X509Certificate(pem).raw);
}

/** SHA-256 of a certificate's SubjectPublicKeyInfo, in hexadecimal. Throws when it is no certificate. */
export function publicKeyDigest(certificate: Uint8Array): string {
  const spki = new X509Certificate(certificate).publicKey.export({ type: "spki", format: "der" });
  return createHash("sha256").update(spki).digest("hex");
}

async function leafExtensions(
  x509: typeof Library,
  publicKey: webcrypto.CryptoKey,
  purposes: readonly string[],
): Promise<Library.Extension[]> {
  return [
    new x509.BasicConstraintsExtension(false, undefined, true),
    new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
    new x509.ExtendedKeyUsageExtension([...purposes]),
    await x509.SubjectKeyIdentifierExtension.create(publicKey),
  ];
}

function newKeys(): Promise<webcrypto.CryptoKeyPair> {
  return webcrypto.subtle.generateKey(algorithm, true, ["sign", "verify"]);
}

/** 16 random bytes, positive. */
function newSerialNumber(): string {
  const bytes = webcrypto.getRandomValues(new Uint8Array(16));
  bytes[0] = ((bytes[0] ?? 0) & 0x7f) | 0x40;
  return Buffer.from(bytes).toString("hex");
}

async function exportKey(keys: webcrypto.CryptoKeyPair): Promise<string> {
  const der = Buffer.from(await webcrypto.subtle.exportKey("pkcs8", keys.privateKey)).toString("base64");
  return `-----BEGIN PRIVATE KEY-----\n${der.replace(/.{64}(?=.)/g, "$&\n")}\n-----END PRIVATE KEY-----\n`;
}

async function importSigningKey(pem: string): Promise<webcrypto.CryptoKey> {
  const der = Buffer.from(pem.replace(/-----[A-Z ]+-----|\s/g, ""), "base64");
  return webcrypto.subtle.importKey("pkcs8", der, algorithm, false, ["sign"]);
}
