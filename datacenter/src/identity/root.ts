import { createPrivateKey, X509Certificate } from "node:crypto";
import {
  type CertificateIdentity,
  type CertificateWithKey,
  certificateDer,
  createDatacenterRoot,
  createHostLeaf,
  createLeaf,
  createRootProof,
  parseIdentityUri,
  RootCertificate,
} from "@dcx/protocol";
import { z } from "zod";
import type { Home } from "../home/home";
import type { HostLeafIssuer, LeafIssuer } from "../overlay/overlay";

const day = 24 * 3_600_000;
const rootLifetime = 3_650 * day;
/** Leaves begin a little in the past: clocks differ. */
const clockSkew = 300_000;

const height = z
  .string()
  .regex(/^\d+$/)
  .transform((text) => BigInt(text));
const Pair = { certificate: z.string(), key: z.string() };
const Successor = z.object({
  ...Pair,
  /** When it was asked for, ISO. */
  since: z.string(),
  /** Longest that both count, in milliseconds; 0: the old one ends at once. */
  overlap: z.number().int().min(0),
  /** Block in which this agent first saw it on chain. */
  seenHeight: height.optional(),
  /** Block from which on leaves are issued under it. */
  usedHeight: height.optional(),
});
const Stored = z.object({ chainId: z.string(), ...Pair, successor: Successor.optional() });
type Stored = z.infer<typeof Stored>;

/** The root that takes the other one's place, and how far that is. */
export interface Successor extends Pick<z.infer<typeof Successor>, "since" | "overlap" | "seenHeight" | "usedHeight"> {
  readonly record: RootCertificate;
}

/**
 * The root under which a datacenter issues the certificates of its agent and of its workloads' tunnels, and the one that
 * is to take its place. What changes here is durable when the method returns, at once or not at all.
 */
export class DatacenterRoot {
  readonly #home: Home;
  readonly #name: string;
  readonly #identity: { readonly chainId: string; readonly datacenter: string };
  #stored: Stored;

  private constructor(home: Home, name: string, datacenter: string, stored: Stored) {
    this.#home = home;
    this.#name = name;
    this.#identity = { chainId: stored.chainId, datacenter };
    this.#stored = stored;
  }

  /** Opens the root of this chain and account, making it the first time. Its key lies sealed in the agent's folder. */
  static async open(home: Home, chainId: string, datacenter: string): Promise<DatacenterRoot> {
    const name = `root/${chainId}/${datacenter}`;
    const sealed = home.records.get(name);
    if (sealed !== undefined) {
      const stored = Stored.parse(JSON.parse(home.seal.open(name, sealed).toString("utf8")));
      return new DatacenterRoot(home, name, datacenter, stored);
    }
    const made = await makeRoot({ chainId, datacenter });
    const root = new DatacenterRoot(home, name, datacenter, { chainId, ...made });
    root.#store(root.#stored);
    return root;
  }

  /** As it goes on chain: DER, with the proof that its key signed this chain and account. */
  get record(): RootCertificate {
    return recordOf(this.#identity, this.#stored);
  }

  /** Undefined where none is to take its place. */
  get successor(): Successor | undefined {
    const { successor } = this.#stored;
    if (successor === undefined) return undefined;
    const { certificate: _certificate, key: _key, ...rest } = successor;
    return { ...rest, record: recordOf(this.#identity, successor) };
  }

  /** Makes a successor where there is none, and says how long both count. @param overlap milliseconds */
  async rotate(overlap: number): Promise<void> {
    const made = this.#stored.successor ?? { ...(await makeRoot(this.#identity)), since: new Date().toISOString() };
    // Whoever asks twice at once gets one.
    this.#store({ ...this.#stored, successor: { ...made, ...this.#stored.successor, overlap } });
  }

  /** The successor is on chain. */
  noteSeen(height: bigint): void {
    const { successor } = this.#stored;
    if (successor !== undefined) this.#store({ ...this.#stored, successor: { ...successor, seenHeight: height } });
  }

  /** From now on leaves are issued under the successor. */
  use(height: bigint): void {
    const { successor } = this.#stored;
    if (successor !== undefined) this.#store({ ...this.#stored, successor: { ...successor, usedHeight: height } });
  }

  /** The successor is the root, and the key of the old one is forgotten. */
  finish(): void {
    const { chainId, successor } = this.#stored;
    if (successor !== undefined) {
      this.#store({ chainId, certificate: successor.certificate, key: successor.key });
    }
  }

  /** Whether a leaf (PEM) was issued under the root that has a successor. */
  issued(leaf: string): boolean {
    return new X509Certificate(leaf).verify(new X509Certificate(this.#stored.certificate).publicKey);
  }

  /** A leaf for the agent itself. */
  issueAgentLeaf(lifetime: number): Promise<CertificateWithKey> {
    return this.#leaf(this.#identity, new Date(Date.now() - clockSkew), new Date(Date.now() + lifetime));
  }

  /** Leaves for workloads' ends of tunnels. */
  readonly issue: LeafIssuer = async ({ uri, notBefore, notAfter }) => {
    const identity = parseIdentityUri(uri);
    if (identity === undefined) throw new Error(`${uri} names no workload; no certificate was issued`);
    const { certificate: pem, key } = await this.#leaf(identity, notBefore, notAfter);
    return { certificate: pem, privateKey: key };
  };

  /** Leaves for host names of global connections, each followed by the root, which is what those who trust it know. */
  readonly issueHosts: HostLeafIssuer = async ({ hosts, notBefore, notAfter }) => {
    const issuer = this.#issuer;
    const { certificate: pem, key } = await createHostLeaf(issuer, hosts, { notBefore, notAfter });
    return { certificate: `${pem.trimEnd()}\n${issuer.certificate}`, privateKey: key };
  };

  #leaf(identity: CertificateIdentity, notBefore: Date, notAfter: Date): Promise<CertificateWithKey> {
    return createLeaf(this.#issuer, identity, { notBefore, notAfter });
  }

  /** The one that leaves are issued under now. */
  get #issuer(): CertificateWithKey {
    const { successor } = this.#stored;
    return successor?.usedHeight === undefined ? this.#stored : successor;
  }

  #store(stored: Stored): void {
    const text = JSON.stringify(stored, (_key, value) => (typeof value === "bigint" ? value.toString() : value));
    this.#home.records.put(this.#name, this.#home.seal.close(this.#name, Buffer.from(text)));
    this.#stored = stored;
  }
}

function makeRoot(identity: { readonly chainId: string; readonly datacenter: string }): Promise<CertificateWithKey> {
  const now = Date.now();
  return createDatacenterRoot(identity, {
    notBefore: new Date(now - clockSkew),
    notAfter: new Date(now + rootLifetime),
  });
}

function recordOf(
  identity: { readonly chainId: string; readonly datacenter: string },
  root: CertificateWithKey,
): RootCertificate {
  const certificate = Buffer.from(certificateDer(root.certificate));
  const proof = createRootProof({ ...identity, certificate }, createPrivateKey(root.key));
  return RootCertificate.fromPartial({ certificate, proof: Buffer.from(proof) });
}
