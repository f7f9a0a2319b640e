/** What the URI SAN of a leaf names: a datacenter's agent, or a workload's end of a tunnel. */
export interface CertificateIdentity {
  readonly chainId: string;
  readonly datacenter: string;
  /** With it: the workload of this lease (by its text id). */
  readonly workload?: { readonly lease: string; readonly name: string };
}

const segment = "[A-Za-z0-9._-]+";
const pattern = new RegExp(
  `^spiffe://(${segment})/datacenter/(${segment})(?:/lease/(${segment}/${segment}/${segment}/${segment})/workload/(${segment}))?$`,
);

/**
 * spiffe://<chainId>/datacenter/<address>[/lease/<text id, four segments>/workload/<name>]
 * Throws when a part would make it mean something else: no part may be empty or hold a slash of its own.
 */
export function identityUri({ chainId, datacenter, workload }: CertificateIdentity): string {
  const tail = workload === undefined ? "" : `/lease/${workload.lease}/workload/${workload.name}`;
  const uri = `spiffe://${chainId}/datacenter/${datacenter}${tail}`;
  const parsed = parseIdentityUri(uri);
  const same =
    parsed?.chainId === chainId &&
    parsed.datacenter === datacenter &&
    parsed.workload?.lease === workload?.lease &&
    parsed.workload?.name === workload?.name;
  if (!same) throw new Error(`${uri} can't stand in a certificate: a part of it is empty or has other characters.`);
  return uri;
}

/** Undefined: it is none of ours. */
export function parseIdentityUri(uri: string): CertificateIdentity | undefined {
  const [, chainId, datacenter, lease, name] = pattern.exec(uri) ?? [];
  if (chainId === undefined || datacenter === undefined) return undefined;
  return { chainId, datacenter, ...(lease === undefined || name === undefined ? {} : { workload: { lease, name } }) };
}
