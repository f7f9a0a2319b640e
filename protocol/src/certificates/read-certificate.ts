/** Loaded at the first certificate: it takes longer than all else that a short command loads. */
function x509(): typeof import("@peculiar/x509") {
  require("reflect-metadata");
  return require("@peculiar/x509");
}

/** What we need of an X.509 certificate. */
export interface CertificateFacts {
  /** SubjectPublicKeyInfo, DER. */
  readonly publicKey: Uint8Array;
  /** basicConstraints: CA. */
  readonly authority: boolean;
  /** keyUsage allows it, or is absent. */
  readonly signsCertificates: boolean;
}

/**
 * Reads a DER certificate. A pure function of the bytes: it verifies no signature and no time.
 * @returns the facts, or a sentence that says why there are none
 */
export function readCertificate(der: Uint8Array): CertificateFacts | string {
  if (encodedLength(der) !== der.length) {
    return "the certificate is not exactly one DER sequence";
  }
  const { BasicConstraintsExtension, KeyUsageFlags, KeyUsagesExtension, X509Certificate } = x509();
  try {
    const certificate = new X509Certificate(der);
    const usages = certificate.getExtension(KeyUsagesExtension);
    return {
      publicKey: new Uint8Array(certificate.publicKey.rawData),
      authority: certificate.getExtension(BasicConstraintsExtension)?.ca === true,
      signsCertificates: usages === null || (usages.usages & KeyUsageFlags.keyCertSign) !== 0,
    };
  } catch {
    return "the certificate is not an X.509 certificate";
  }
}

/** Length that the outermost DER sequence claims, header included; the parser itself takes no notice of a tail. */
function encodedLength(der: Uint8Array): number | undefined {
  const [tag, first = 0] = der;
  if (tag !== 0x30) {
    return undefined;
  }
  if (first < 0x80) {
    return 2 + first;
  }
  const octets = first & 0x7f;
  if (octets === 0 || octets > 3) {
    return undefined;
  }
  return der.subarray(2, 2 + octets).reduce((length, octet) => length * 256 + octet, 0) + 2 + octets;
}
