import { createHash } from "node:crypto";

/**
 * The label under a datacenter's domain by which a global connection is reached: `<name>-<20 characters>`, a DNS label of at
 * most 61. It depends on chain, deployment and the connection's name alone, so it stays the same for the connection's life.
 * It is no secret; the hash keeps names of different deployments apart.
 * @param connection `<tenant>/<sequence>/connections/<name>`
 */
export function generatedLabel(chainId: string, connection: string): string {
  const name = connection.slice(connection.lastIndexOf("/") + 1);
  // 100 bits: nobody finds a deployment of theirs that has the name of another one's.
  const hash = createHash("sha256").update(`dcx host name v1\n${chainId}\n${connection}`).digest("hex").slice(0, 25);
  return `${name}-${BigInt(`0x${hash}`).toString(32).padStart(20, "0")}`;
}
