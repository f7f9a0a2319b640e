import { randomBytes } from "node:crypto";
import { cpus, totalmem } from "node:os";
import { join } from "node:path";
import type { EmbeddedPaths } from "@dcx/protocol";

/** The two datacenters that every embedded network has. */
export interface DatacenterPlan {
  readonly name: string;
  readonly region: string;
  readonly home: string;
  readonly keyFile: string;
  readonly configurationFile: string;
  readonly logFile: string;
}

const addressPrefix = "dcx";
const denomination = "udcx";

/** Never runs dry: far more than any deployment can spend, far less than the range of an amount (2^63). */
const tenantBalance = 1_000_000_000_000_000_000n;
/** Enough collateral and fees for any number of local deployments. */
const datacenterBalance = 1_000_000_000_000_000n;

/** Milliseconds. */
const blockInterval = 500;
/** Milliseconds. An agent that is restarted on a busy machine must not lose its leases. */
const reconfirmation = 30_000;

/** Of a new network: as many blocks as fit into the time in which a lease must be confirmed. */
export function embeddedParameters(interval: number): {
  readonly blockInterval: bigint;
  readonly reconfirmationPeriod: bigint;
} {
  return { blockInterval: BigInt(interval), reconfirmationPeriod: BigInt(Math.ceil(reconfirmation / interval)) };
}

export const embeddedDefaults = {
  addressPrefix,
  denomination,
  tenantBalance,
  datacenterBalance,
  blockInterval,
};

export function datacenterPlans(paths: EmbeddedPaths): readonly DatacenterPlan[] {
  return [
    { name: "sierra", region: "us-west" },
    { name: "tidewater", region: "us-east" },
  ].map(({ name, region }) => ({
    name,
    region,
    home: join(paths.home, "datacenters", name),
    keyFile: join(paths.home, "keys", `${name}.json`),
    configurationFile: join(paths.home, "datacenters", `${name}.json`),
    logFile: join(paths.logs, `${name}.log`),
  }));
}

/** Random, so that an id of another network, or of this one before a reset, is never taken for one of this network. */
export function newChainId(): string {
  return `dcx-embedded-${randomBytes(4).toString("hex")}`;
}

export type IsolationChoice = "auto" | "container" | "sandbox" | "none";

/**
 * The configuration of an embedded datacenter's agent. It sells more than one machine has, as local clusters do:
 * both datacenters stand on the same one, and its only tenant is its user.
 */
export function datacenterConfiguration(
  plan: DatacenterPlan,
  network: {
    readonly rpcUrl: string;
    readonly tenant: string;
    readonly isolation: IsolationChoice;
    readonly images: string;
    /** Each datacenter gives host names under its own name in it. Absent: global connections have ports only. */
    readonly ingressDomain?: string;
    /** Address of the name server that is asked who owns a host name. Absent: the machine's own. */
    readonly ingressResolver?: string;
  },
): Readonly<Record<string, unknown>> {
  return {
    chain: { endpoints: [network.rpcUrl] },
    keyFile: plan.keyFile,
    home: plan.home,
    name: plan.name,
    region: plan.region,
    attributes: {},
    capacity: { cpu: Math.max(16, cpus().length), memory: String(Math.max(totalmem(), 16 * 2 ** 30)), disk: "100Gi" },
    isolation: network.isolation,
    imageLayouts: [network.images],
    trustedTenants: [network.tenant],
    ...(network.ingressDomain === undefined
      ? {}
      : {
          listen: { ingress: { tls: "127.0.0.1:0", http: "127.0.0.1:0" } },
          ingress: {
            domain: `${plan.name}.${network.ingressDomain}`,
            ...(network.ingressResolver === undefined ? {} : { resolvers: [network.ingressResolver] }),
          },
        }),
  };
}
