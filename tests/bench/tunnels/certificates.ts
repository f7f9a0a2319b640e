import { type CertificateWithKey, createDatacenterRoot, createLeaf, identityUri } from "@dcx/protocol";

export const chainId = "dcx-bench-1";
export const connection = "tenant/1/connections/web-to-api";

const hour = 3_600_000;
const validity = () => ({ notBefore: new Date(Date.now() - hour), notAfter: new Date(Date.now() + 24 * hour) });

/** One end of the tunnel: a workload of a datacenter, with what this one knows of the other. */
export interface Identity {
  readonly datacenter: string;
  readonly lease: string;
  readonly workload: string;
  readonly root: CertificateWithKey;
}

export async function identityOf(datacenter: string, workload: string): Promise<Identity> {
  const root = await createDatacenterRoot({ chainId, datacenter }, validity());
  return { datacenter, lease: `tenant/1/${datacenter}/1`, workload, root };
}

/** The certificate that the end shows. */
export function leafOf({ datacenter, lease, root, workload }: Identity): Promise<CertificateWithKey> {
  return createLeaf(root, { chainId, datacenter, workload: { lease, name: workload } }, validity());
}

export function uriOf({ datacenter, lease, workload }: Identity): string {
  return identityUri({ chainId, datacenter, workload: { lease, name: workload } });
}
