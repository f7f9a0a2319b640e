import type {
  Datacenter,
  Fulfillment,
  Lease,
  Order,
  QueryDeploymentResponse,
  QueryParametersResponse,
} from "@dcx/protocol";

/** What the agent knows of the exchange, as of the newest block that it has followed. Kept by `ChainFollower`. */
export interface ChainView {
  readonly height: bigint;
  readonly parameters: QueryParametersResponse;
  /** The datacenter's own record; absent before it has registered. */
  readonly record: Datacenter | undefined;
  /** Open orders in this region or in any, by text id. */
  readonly orders: ReadonlyMap<string, Order>;
  /** Own fulfillments that are open or matched, by text id. */
  readonly fulfillments: ReadonlyMap<string, Fulfillment>;
  /** Own leases that are active, by text id. */
  readonly leases: ReadonlyMap<string, Lease>;
  /** Height at which the datacenter last broke a lease, by `<tenant>/<sequence>/<infrastructure>`. */
  readonly broken: ReadonlyMap<string, bigint>;
  /** The deployments that these leases belong to, by `<tenant>/<sequence>`. */
  readonly deployments: ReadonlyMap<string, QueryDeploymentResponse>;
}

/** What a block changed, so that nothing else need be looked at. */
export interface ViewChange {
  /** Text ids of open orders that are new or have other terms. */
  readonly orders: ReadonlySet<string>;
  /** True: own leases, or deployments that they belong to, changed. */
  readonly leases: boolean;
  /** True: everything may have changed. */
  readonly everything: boolean;
}

/** `<tenant>/<sequence>/<infrastructure>` */
export function infrastructureKey(id: {
  readonly tenant: string;
  readonly sequence: bigint;
  readonly infrastructure: string;
}): string {
  return `${id.tenant}/${id.sequence}/${id.infrastructure}`;
}

/** As whoever follows the chain keeps it. */
export interface MutableView extends ChainView {
  height: bigint;
  parameters: QueryParametersResponse;
  record: Datacenter | undefined;
  readonly orders: Map<string, Order>;
  readonly fulfillments: Map<string, Fulfillment>;
  readonly leases: Map<string, Lease>;
  readonly broken: Map<string, bigint>;
  readonly deployments: Map<string, QueryDeploymentResponse>;
  /** Which request the state of each deployment was read by. */
  readonly readAt: Map<string, number>;
  /** When what is known of each deployment was so, on the clock of `performance.now()`. */
  readonly asOf: Map<string, number>;
}
