import type { DeploymentStatus, Quote, Stamps } from "@dcx/protocol";

/**
 * How the provider meets a network. What is above it (plans, resources) knows no chain's messages; what is below it
 * knows no Pulumi. Wide enough for networks where a manifest can't change alone or a group can't change at all:
 * see `capabilities`.
 */
export interface NetworkDriver {
  readonly capabilities: NetworkCapabilities;
  /** Chain id and the account that signs. Rejects when the network can't be reached. */
  identify(signal: AbortSignal): Promise<{ readonly chain: string; readonly tenant: string }>;
  // The rest of the driver is completed with the plan that runs on it.
}

export interface NetworkCapabilities {
  /** Workloads and connections as resources of their own. */
  readonly separateResources: boolean;
  /** Infrastructures can change without replacing the deployment. */
  readonly infrastructureUpdates: boolean;
}

export type { DeploymentStatus, Quote, Stamps };
