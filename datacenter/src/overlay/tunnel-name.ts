import { createHash } from "node:crypto";
import { identityUri } from "@dcx/protocol";
import type { WorkloadIdentity } from "./overlay";

/**
 * The server name (SNI) of a connection's tunnels to one lease of its target (two while a lease is replaced). A hash, because ids hold characters that host names don't, and
 * because server names cross the network in the clear.
 */
export function tunnelName(chainId: string, connection: string, targetLease: string): string {
  return `${createHash("sha256").update(`${chainId}\n${connection}\n${targetLease}`).digest("hex").slice(0, 48)}.tunnel.dcx`;
}

/** The URI by which a certificate names a workload's end of a tunnel. */
export function workloadUri(chainId: string, { datacenter, lease, workload }: WorkloadIdentity): string {
  return identityUri({ chainId, datacenter, workload: { lease, name: workload } });
}
