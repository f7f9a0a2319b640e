/** Where a domain's owner says whose deployment may have a host name of theirs. */
export function proofName(host: string): string {
  return `_dcx-challenge.${host}`;
}

/** What the DNS says of a name: its TXT records, none where there are none; or why it says nothing. */
export type DnsAnswer = { readonly records: readonly string[] } | { readonly failure: string };

export type ProofVerdict =
  | { readonly proven: true }
  /** `denied`: the DNS says so. Else it says nothing, and what was proven before stays so for a while. */
  | { readonly proven: false; readonly denied: boolean; readonly message: string };

/**
 * Whether the owner of a host name gave it to a connection: a TXT record names its tenant (all deployments), or its
 * deployment, with or without the chain. design: "The datacenter" (own ones only after a DNS record names the tenant).
 * @param connection `<tenant>/<sequence>/connections/<name>`
 */
export function judgeProof(host: string, connection: string, chainId: string, answer: DnsAnswer): ProofVerdict {
  const place = proofName(host);
  const [tenant = "", sequence = ""] = connection.split("/");
  const deployment = `${tenant}/${sequence}`;
  if ("failure" in answer) {
    return { proven: false, denied: false, message: `the DNS does not say what is at ${place}: ${answer.failure}` };
  }
  const said = answer.records.map((record) => record.trim());
  if (said.some((record) => [tenant, deployment, `${chainId}/${deployment}`].includes(record))) return { proven: true };
  const wanted = `"${deployment}" for this deployment, or "${tenant}" for all of that tenant`;
  const message =
    said.length === 0
      ? `there is no TXT record at ${place}: make one that says ${wanted}`
      : `the TXT record at ${place} says ${said.slice(0, 3).map(shown).join(", ")}; it has to say ${wanted}`;
  return { proven: false, denied: true, message };
}

function shown(record: string): string {
  return JSON.stringify(record.length > 100 ? `${record.slice(0, 100)}…` : record);
}
