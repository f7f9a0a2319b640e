import { createPrivateKey } from "node:crypto";
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

const Stored = z.object({ chainId: z.string(), certificate: z.string(), key: z.string() });

/** The root under which a datacenter issues the certificates of its agent and of its workloads' tunnels. */
export interface DatacenterRoot {
  /** As it goes on chain: DER, with the proof that its key signed this chain and account. */
  readonly record: RootCertificate;
  /** A leaf for the agent itself. */
  issueAgentLeaf(lifetime: number): Promise<CertificateWithKey>;
  /** Leaves for workloads' ends of tunnels. */
  readonly issue: LeafIssuer;
  /** Leaves for host names of global connections, each followed by the root, which is what those who trust it know. */
  readonly issueHosts: HostLeafIssuer;
}

/** Opens the root of this chain and account, making it the first time. Its key lies sealed in the agent's folder. */
export async function openDatacenterRoot(home: Home, chainId: string, datacenter: string): Promise<DatacenterRoot> {
  const name = `root/${chainId}/${datacenter}`;
  const sealed = home.records.get(name);
  let root: CertificateWithKey;
  if (sealed !== undefined) root = Stored.parse(JSON.parse(home.seal.open(name, sealed).toString("utf8")));
  else {
    const now = Date.now();
    const validity = { notBefore: new Date(now - clockSkew), notAfter: new Date(now + rootLifetime) };
    root = await createDatacenterRoot({ chainId, datacenter }, validity);
    const stored = { chainId, certificate: root.certificate, key: root.key };
    home.records.put(name, home.seal.close(name, Buffer.from(JSON.stringify(stored))));
  }
  const certificate = Buffer.from(certificateDer(root.certificate));
  const proof = createRootProof({ chainId, datacenter, certificate }, createPrivateKey(root.key));
  const leaf = (identity: CertificateIdentity, notBefore: Date, notAfter: Date): Promise<CertificateWithKey> =>
    createLeaf(root, identity, { notBefore, notAfter });
  return {
    record: RootCertificate.fromPartial({ certificate, proof: Buffer.from(proof) }),
    issueAgentLeaf: (lifetime) =>
      leaf({ chainId, datacenter }, new Date(Date.now() - clockSkew), new Date(Date.now() + lifetime)),
    issue: async ({ uri, notBefore, notAfter }) => {
      const identity = parseIdentityUri(uri);
      if (identity === undefined) throw new Error(`${uri} names no workload; no certificate was issued`);
      const { certificate: pem, key } = await leaf(identity, notBefore, notAfter);
      return { certificate: pem, privateKey: key };
    },
    issueHosts: async ({ hosts, notBefore, notAfter }) => {
      const { certificate: pem, key } = await createHostLeaf(root, hosts, { notBefore, notAfter });
      return { certificate: `${pem.trimEnd()}\n${root.certificate}`, privateKey: key };
    },
  };
}
