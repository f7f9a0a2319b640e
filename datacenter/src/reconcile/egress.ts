import type { Manifest } from "@dcx/protocol";
import type { InternetRule } from "../overlay/egress/decide";

/** A proxy that an instance finds inside, for what its workload's egress declares. */
export interface EgressProxy {
  /** The name that it has in the instance. No workload can have it: their names hold no dot. */
  readonly host: string;
  readonly port: number;
  /** What of the internet it leads to. Absent: to the exchange. */
  readonly rules?: readonly InternetRule[];
}

const exchange = { host: "exchange.dcx.internal", port: 26657 };
const internet = { host: "egress.dcx.internal", port: 3128 };

/** The proxies of a workload: one for all its rules to the internet, one for the exchange. */
export function egressOf(manifest: Manifest, workload: string): readonly EgressProxy[] {
  const declared = manifest.workloads[workload]?.egress ?? [];
  const rules = declared.filter(({ to }) => to === "internet").map(({ to: _, ...rule }) => rule);
  return [
    ...(declared.some(({ to }) => to === "exchange") ? [exchange] : []),
    ...(rules.length > 0 ? [{ ...internet, rules }] : []),
  ];
}

/**
 * The environment by which programs find these proxies: the exchange's as dcx and its provider read it, the internet's
 * as curl, git, package managers and most HTTP libraries do. docs/reference/manifest.md lists them.
 * @param direct names that are reached without a proxy
 */
export function egressEnvironment(
  proxies: readonly (EgressProxy & { readonly address: string })[],
  chainId: string,
  direct: readonly string[],
): Readonly<Record<string, string>> {
  const environment: Record<string, string> = {};
  for (const { address, port, rules } of proxies) {
    const url = `http://${address}:${port}`;
    if (rules === undefined) {
      environment["DCX_ENDPOINTS"] = url;
      environment["DCX_AGENT_PROXY"] = url;
      environment["DCX_CHAIN_ID"] = chainId;
      continue;
    }
    for (const name of ["HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"]) {
      environment[name] = url;
      environment[name.toLowerCase()] = url;
    }
    const without = ["localhost", "127.0.0.0/8", "::1", ".dcx.internal", ...direct].join(",");
    environment["NO_PROXY"] = without;
    environment["no_proxy"] = without;
    // Node.js heeds them only where it is told to.
    environment["NODE_USE_ENV_PROXY"] = "1";
  }
  return environment;
}
