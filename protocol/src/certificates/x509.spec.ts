import { createPrivateKey, X509Certificate } from "node:crypto";
import { identityUri, parseIdentityUri } from "./identity";
import { PeerVerifier } from "./peer-verifier";
import {
  type CertificateWithKey,
  certificateDer,
  createClientCertificate,
  createDatacenterRoot,
  createHostLeaf,
  createLeaf,
} from "./x509";

const chainId = "dcx-test";
const datacenter = "dcx1sierra";
const hour = 3_600_000;
const now = new Date("2026-01-01T12:00:00Z");
const day = { notBefore: new Date(now.getTime() - 12 * hour), notAfter: new Date(now.getTime() + 12 * hour) };
const agent = { chainId, datacenter };
const web = { ...agent, workload: { lease: "dcx1tenant/1/west/1", name: "web" } };

let root: CertificateWithKey;
let verifier: PeerVerifier;

beforeAll(async () => {
  root = await createDatacenterRoot(agent, day);
  verifier = new PeerVerifier();
});

function der(certificate: CertificateWithKey): Uint8Array {
  return certificateDer(certificate.certificate);
}

function refusal(leaf: Uint8Array | undefined, roots = [der(root)], at = now, expected = agent): string {
  const verdict = verifier.verify(leaf, roots, at, expected);
  return verdict.valid ? "accepted" : verdict.reason;
}

describe("certificates of a datacenter", () => {
  it("are accepted under its root, for what they name", async () => {
    const leaf = await createLeaf(root, web, day);
    const verdict = verifier.verify(der(leaf), [der(root)], now);
    expect(verdict).toEqual({ valid: true, identity: web, notAfter: day.notAfter });
    expect(refusal(der(leaf), undefined, undefined, web)).toBe("accepted");
    expect(refusal(der(leaf))).toBe("identity");
  });

  it("are accepted under the older of two roots", async () => {
    const newer = await createDatacenterRoot(agent, day);
    expect(refusal(der(await createLeaf(root, agent, day)), [der(newer), der(root)])).toBe("accepted");
  });

  it("are refused under a look-alike root with the same subject", async () => {
    const lookalike = await createDatacenterRoot(agent, day);
    const leaf = der(await createLeaf(lookalike, agent, day));
    expect(new X509Certificate(leaf).issuer).toBe(new X509Certificate(der(root)).subject);
    expect(refusal(leaf)).toBe("no-root");
    expect(refusal(leaf, [])).toBe("no-root");
    expect(refusal(leaf, [der(lookalike)])).toBe("accepted");
  });

  it("are refused before and after their time, also when they were accepted before", async () => {
    const leaf = der(await createLeaf(root, agent, { notBefore: now, notAfter: new Date(now.getTime() + hour) }));
    expect(refusal(leaf)).toBe("accepted");
    expect(refusal(leaf, undefined, new Date(now.getTime() + hour + 1000))).toBe("expired");
    expect(refusal(leaf, undefined, new Date(now.getTime() - 1000))).toBe("not-yet-valid");
  });

  it("for host names are a server's alone, and nobody's identity", async () => {
    const leaf = await createHostLeaf(root, ["*.apps.example", "shop.example"], day);
    const parsed = new X509Certificate(leaf.certificate);
    expect(parsed.verify(new X509Certificate(root.certificate).publicKey)).toBe(true);
    expect([
      parsed.checkHost("any.apps.example"),
      parsed.checkHost("shop.example"),
      parsed.checkHost("b.example"),
    ]).toEqual(["*.apps.example", "shop.example", undefined]);
    expect(parsed.keyUsage).toEqual(["1.3.6.1.5.5.7.3.1"]);
    expect(refusal(der(leaf))).toBe("identity");
  });

  it("never outlive their root", async () => {
    const leaf = await createLeaf(root, agent, { notBefore: new Date(0), notAfter: new Date("2099-01-01") });
    const { validFrom, validTo } = new X509Certificate(leaf.certificate);
    expect([new Date(validFrom), new Date(validTo)]).toEqual([day.notBefore, day.notAfter]);
  });

  it("are refused for another chain, another datacenter, and where a root is presented as a leaf", async () => {
    expect(refusal(der(await createLeaf(root, { ...agent, chainId: "dcx-other" }, day)))).toBe("identity");
    expect(refusal(der(await createLeaf(root, { ...agent, datacenter: "dcx1other" }, day)))).toBe("identity");
    expect(refusal(der(root))).toBe("not-a-leaf");
  });

  it("are refused when there is none, or garbage, or a self-signed one", async () => {
    expect(refusal(undefined)).toBe("no-certificate");
    expect(refusal(new Uint8Array())).toBe("no-certificate");
    expect(refusal(Buffer.from("garbage"))).toBe("malformed");
    expect(refusal(der(await createClientCertificate(day)))).toBe("no-root");
  });

  it("are refused when a leaf signed them: only roots sign", async () => {
    const leaf = await createLeaf(root, agent, day);
    const below = await createLeaf(leaf, agent, day);
    expect(refusal(der(below))).toBe("no-root");
    expect(refusal(der(below), [der(leaf)])).toBe("no-root");
  });

  it("carry what OpenSSL asks of them", async () => {
    const made = await createLeaf(root, web, day);
    const leaf = new X509Certificate(made.certificate);
    expect(leaf.subject).toBeFalsy();
    expect(leaf.ca).toBe(false);
    expect(leaf.subjectAltName).toBe(`URI:${identityUri(web)}`);
    expect(leaf.keyUsage).toEqual(["1.3.6.1.5.5.7.3.2", "1.3.6.1.5.5.7.3.1"]);
    expect(leaf.checkPrivateKey(createPrivateKey(made.key))).toBe(true);
    expect(new X509Certificate(root.certificate).ca).toBe(true);
  });
});

describe("the URI of an identity", () => {
  it("says all of it and comes back", () => {
    expect(identityUri(web)).toBe("spiffe://dcx-test/datacenter/dcx1sierra/lease/dcx1tenant/1/west/1/workload/web");
    expect(parseIdentityUri(identityUri(web))).toEqual(web);
    expect(parseIdentityUri(identityUri(agent))).toEqual(agent);
  });

  it.each([
    "https://dcx-test/datacenter/dcx1sierra",
    "spiffe://dcx-test/datacenter/",
    "spiffe://dcx-test/datacenter/a/lease/b/workload/c",
    "spiffe://dcx-test/datacenter/a/lease/b/1/c/1/workload/d/e",
    "spiffe://dcx-test/datacenter/a\n",
  ])("is none of ours: %j", (uri) => {
    expect(parseIdentityUri(uri)).toBeUndefined();
  });

  it("is not made of parts that would say something else", () => {
    expect(() => identityUri({ chainId, datacenter: "a/lease/b/1/c/1/workload/d" })).toThrow(/can't stand/);
    expect(() => identityUri({ chainId, datacenter: "" })).toThrow(/can't stand in a certificate/);
    expect(() => identityUri({ ...agent, workload: { lease: "a/1/b/1", name: "../x" } })).toThrow();
  });
});
