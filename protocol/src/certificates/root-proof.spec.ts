import "reflect-metadata";
import { generateKeyPairSync, KeyObject, randomBytes, webcrypto } from "node:crypto";
import {
  BasicConstraintsExtension,
  type Extension,
  KeyUsageFlags,
  KeyUsagesExtension,
  X509CertificateGenerator,
} from "@peculiar/x509";
import fc from "fast-check";
import { createRootProof, MAX_CERTIFICATE_BYTES, rootCertificateProblem } from "./root-proof";

const authority = [
  new BasicConstraintsExtension(true, 0, true),
  new KeyUsagesExtension(KeyUsageFlags.keyCertSign, true),
];
const P256 = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" };

async function root(
  extensions: Extension[] = authority,
  algorithm: webcrypto.EcKeyGenParams & { hash: string } = P256,
) {
  const keys = await webcrypto.subtle.generateKey(algorithm, true, ["sign", "verify"]);
  const certificate = await X509CertificateGenerator.createSelfSigned(
    {
      keys,
      extensions,
      signingAlgorithm: algorithm,
      name: "CN=datacenter",
      notBefore: new Date(0),
      notAfter: new Date(1e12),
    },
    webcrypto,
  );
  return { certificate: new Uint8Array(certificate.rawData), privateKey: KeyObject.from(keys.privateKey) };
}

const account = { chainId: "dcx-7f3a", datacenter: "dcx1sierra" };

describe("a root certificate's proof", () => {
  it("holds for its key, chain and account, also when the certificate has run out", async () => {
    const { certificate, privateKey } = await root();
    const claim = { ...account, certificate };
    expect(rootCertificateProblem(claim, createRootProof(claim, privateKey))).toBeUndefined();
  });

  it("holds for nothing else", async () => {
    const [own, other] = [await root(), await root()];
    const claim = { ...account, certificate: own.certificate };
    const proof = createRootProof(claim, own.privateKey);
    const problem = "not made by the certificate's key";
    expect(rootCertificateProblem({ ...claim, chainId: "dcx-7f3b" }, proof)).toContain(problem);
    expect(rootCertificateProblem({ ...claim, datacenter: "dcx1tidewater" }, proof)).toContain(problem);
    expect(
      rootCertificateProblem({ chainId: "dcx-7f3adcx1", datacenter: "sierra", certificate: own.certificate }, proof),
    ).toContain(problem);
    expect(rootCertificateProblem({ ...claim, certificate: other.certificate }, proof)).toContain(problem);
    expect(rootCertificateProblem(claim, createRootProof(claim, other.privateKey))).toContain(problem);
    expect(rootCertificateProblem(claim, new Uint8Array(64))).toContain(problem);
  });

  it("is refused when a bit of it or of the certificate changes", async () => {
    const { certificate, privateKey } = await root();
    const claim = { ...account, certificate };
    const proof = createRootProof(claim, privateKey);
    const flipped = (bytes: Uint8Array, at: number) =>
      bytes.map((byte, index) => (index === at >> 3 ? byte ^ (1 << (at & 7)) : byte));
    fc.assert(
      fc.property(fc.nat(proof.length * 8 - 1), fc.nat(certificate.length * 8 - 1), (inProof, inCertificate) => {
        expect(rootCertificateProblem(claim, flipped(proof, inProof))).toBeDefined();
        expect(
          rootCertificateProblem({ ...claim, certificate: flipped(certificate, inCertificate) }, proof),
        ).toBeDefined();
      }),
    );
  });

  it("has one length", async () => {
    const { certificate, privateKey } = await root();
    const claim = { ...account, certificate };
    const proof = createRootProof(claim, privateKey);
    expect(rootCertificateProblem(claim, proof.subarray(1))).toContain("63 bytes instead of 64");
    expect(rootCertificateProblem(claim, new Uint8Array(0))).toContain("0 bytes");
  });
});

describe("a root certificate", () => {
  const proof = new Uint8Array(64);
  const problemOf = (certificate: Uint8Array) => rootCertificateProblem({ ...account, certificate }, proof);

  it("is that of an authority", async () => {
    expect(problemOf((await root([])).certificate)).toContain("basicConstraints");
    expect(problemOf((await root([new BasicConstraintsExtension(false)])).certificate)).toContain("basicConstraints");
    const usage = new KeyUsagesExtension(KeyUsageFlags.digitalSignature);
    expect(problemOf((await root([new BasicConstraintsExtension(true), usage])).certificate)).toContain("keyCertSign");
  });

  it("has a key of P-256", async () => {
    const { certificate } = await root(authority, { name: "ECDSA", namedCurve: "P-384", hash: "SHA-384" });
    expect(problemOf(certificate)).toContain("P-256");
  });

  it("is one DER certificate and nothing more", async () => {
    const { certificate } = await root();
    const { publicKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
    expect(problemOf(Buffer.concat([certificate, Buffer.from([0])]))).toContain("exactly one DER sequence");
    expect(problemOf(certificate.subarray(0, -1))).toContain("exactly one DER sequence");
    expect(problemOf(publicKey.export({ format: "der", type: "spki" }))).toContain("not an X.509 certificate");
    expect(problemOf(Buffer.from("-----BEGIN CERTIFICATE-----"))).toContain("exactly one DER sequence");
    expect(problemOf(new Uint8Array(0))).toContain("exactly one DER sequence");
    expect(problemOf(randomBytes(MAX_CERTIFICATE_BYTES + 1))).toContain("longer than");
  });

  it("never makes the check throw, whatever the bytes", () => {
    const der = fc
      .uint8Array({ maxLength: 300 })
      .map((body) => Buffer.concat([Buffer.from([0x30, 0x82, body.length >> 8, body.length & 255]), body]));
    fc.assert(
      fc.property(fc.oneof(der, fc.uint8Array()), fc.uint8Array(), (bytes, signature) => {
        expect(typeof rootCertificateProblem({ ...account, certificate: bytes }, signature)).toBe("string");
      }),
    );
  });
});
