import {
  Datacenter,
  Deployment,
  type DeploymentId,
  DeploymentState,
  Fulfillment,
  Lease,
  LeaseState,
  Order,
  type OrderId,
  OrderState,
  type QueryDatacentersRequest,
  type QueryDatacentersResponse,
  type QueryDeploymentByTokenRequest,
  type QueryDeploymentRequest,
  type QueryDeploymentResponse,
  type QueryDeploymentsByIdsRequest,
  type QueryDeploymentsByIdsResponse,
  type QueryDeploymentsRequest,
  type QueryDeploymentsResponse,
  type QueryFulfillmentsRequest,
  type QueryFulfillmentsResponse,
  type QueryLeasesRequest,
  type QueryLeasesResponse,
  type QueryOrderRequest,
  type QueryOrderResponse,
  type QueryOrdersRequest,
  type QueryOrdersResponse,
  type QueryParametersResponse,
  type QueryTotalsResponse,
} from "@dcx/protocol";
import { balanceOf } from "./accounts";
import { tokenHolder } from "./deployments";
import { invalid } from "./errors";
import {
  deploymentKey,
  infrastructureKey,
  orderKey,
  prefixEnd,
  readOrderKey,
  readUint32,
  tables,
  textKey,
} from "./keys";
import { paginate } from "./pages";
import {
  datacenters,
  deployments,
  fulfillments,
  getChain,
  getParameters,
  leases,
  orderIdOf,
  orders,
  present,
  slots,
  withGeneration,
} from "./records";
import type { KeyValueReader } from "./store";
import { getTotals } from "./totals";
import { checkBytes, checkDeploymentId, checkOrderId } from "./validation";

/**
 * The queries of query.proto, one function each, over a committed state and its height. An id that could not be one is
 * refused with an ExchangeError; one that names nothing gives an answer without the record.
 */

/** Most fulfillments that are given with an order, the newest. */
const mostFulfillments = 200;
/** Most deployments that one query describes. */
const mostIds = 100;

export function queryParameters(store: KeyValueReader, height: bigint): QueryParametersResponse {
  return { parameters: getParameters(store), ...getChain(store), height };
}

/** One deployment with all that belongs to it. PERF: O(infrastructures + their fulfillments). */
export function queryDeployment(
  store: KeyValueReader,
  height: bigint,
  request: QueryDeploymentRequest,
): QueryDeploymentResponse {
  return describe(store, height, checkDeploymentId(request.id));
}

/** As queryDeployment for each of several. PERF: the sum of theirs, for at most `mostIds` of them. */
export function queryDeploymentsByIds(
  store: KeyValueReader,
  height: bigint,
  { ids }: QueryDeploymentsByIdsRequest,
): QueryDeploymentsByIdsResponse {
  if (ids.length === 0 || ids.length > mostIds) {
    throw invalid("ids", `1 to ${mostIds} are expected, not ${ids.length}`);
  }
  const known = ids.map((id, index) => checkDeploymentId(id, `ids[${index}]`));
  return { height, answers: known.map((id) => describe(store, height, id)) };
}

/** The active deployment with this client token, or none. */
export function queryDeploymentByToken(
  store: KeyValueReader,
  height: bigint,
  request: QueryDeploymentByTokenRequest,
): QueryDeploymentResponse {
  checkDeploymentId({ tenant: request.tenant, sequence: 0n }, "tenant");
  checkBytes(request.clientToken, 32, "client_token");
  const holder = tokenHolder(store, request.tenant, request.clientToken);
  return holder === undefined ? nothing(store, height, request.tenant) : describe(store, height, holder);
}

function nothing(store: KeyValueReader, height: bigint, tenant: string): QueryDeploymentResponse {
  const balance = balanceOf(store, tenant);
  return { height, deployment: undefined, orders: [], leases: [], datacenters: [], balance };
}

function describe(store: KeyValueReader, height: bigint, id: DeploymentId): QueryDeploymentResponse {
  const deployment = deployments.get(store, id);
  if (deployment === undefined) return nothing(store, height, id.tenant);
  const foundOrders: Order[] = [];
  const foundLeases: Lease[] = [];
  for (const { terms, generation } of deployment.infrastructures) {
    const infrastructure = { deployment: id, name: present(terms, "terms of an infrastructure").name };
    const order = generation === 0 ? undefined : orders.get(store, withGeneration(infrastructure, generation));
    if (order !== undefined) foundOrders.push(order);
    const slot = slots.get(store, infrastructure);
    const newest = newestLease(store, id, infrastructure.name);
    for (const one of new Set([slot?.lease ?? 0, slot?.successor ?? 0, newest?.id?.generation ?? 0])) {
      const lease = one === 0 ? undefined : leases.get(store, withGeneration(infrastructure, one));
      if (lease !== undefined) foundLeases.push(lease);
    }
  }
  const withBids = foundOrders.map((order) => ({ order, fulfillments: fulfillmentsOf(store, orderIdOf(order)) }));
  const addresses = new Set([
    ...foundLeases.map((lease) => lease.datacenter),
    ...withBids.flatMap((one) => one.fulfillments.map((fulfillment) => fulfillment.datacenter)),
  ]);
  return {
    height,
    deployment,
    orders: withBids,
    leases: foundLeases,
    datacenters: [...addresses].sort().flatMap((address) => datacenters.get(store, address) ?? []),
    balance: balanceOf(store, id.tenant),
  };
}

function newestLease(store: KeyValueReader, id: DeploymentId, name: string): Lease | undefined {
  const prefix = tables.lease + infrastructureKey(id, name);
  for (const [, value] of store.range(prefix, prefixEnd(prefix), { reverse: true, limit: 1 }))
    return Lease.decode(value);
  return undefined;
}

/** The newest fulfillments of an order, by index. */
function fulfillmentsOf(store: KeyValueReader, id: OrderId): Fulfillment[] {
  const prefix = tables.fulfillment + orderKey(id);
  const newest = [...store.range(prefix, prefixEnd(prefix), { reverse: true, limit: mostFulfillments })];
  return newest.map(([, value]) => Fulfillment.decode(value)).reverse();
}

export function queryDeployments(
  store: KeyValueReader,
  height: bigint,
  request: QueryDeploymentsRequest,
): QueryDeploymentsResponse {
  if (request.tenant !== "") checkDeploymentId({ tenant: request.tenant, sequence: 0n }, "tenant");
  const tenant = request.tenant === "" ? "" : textKey(request.tenant);
  const { items, page } =
    request.state === DeploymentState.ACTIVE
      ? paginate(store, tables.activeDeployment + tenant, request.page, (key) => {
          const bytes = store.get(tables.deployment + tenant + key);
          return Deployment.decode(present(bytes, "an active deployment"));
        })
      : paginate(store, tables.deployment + tenant, request.page, (_key, value) => {
          const deployment = Deployment.decode(value);
          const fits = request.state === DeploymentState.UNSPECIFIED || deployment.state === request.state;
          return fits ? deployment : undefined;
        });
  return { deployments: items, page, height };
}

export function queryOrder(store: KeyValueReader, height: bigint, request: QueryOrderRequest): QueryOrderResponse {
  const id = checkOrderId(request.id, "id");
  return { order: orders.get(store, id), fulfillments: fulfillmentsOf(store, id), height };
}

export function queryOrders(store: KeyValueReader, height: bigint, request: QueryOrdersRequest): QueryOrdersResponse {
  const deployment = request.deployment === undefined ? "" : deploymentKey(checkDeploymentId(request.deployment));
  const open = request.state === OrderState.UNSPECIFIED || request.state === OrderState.OPEN;
  const { items, page } = open
    ? paginate(store, tables.openOrder + deployment, request.page, (key) =>
        orders.need(store, readOrderKey(deployment + key)),
      )
    : paginate(store, tables.order + deployment, request.page, (_key, value) => {
        const order = Order.decode(value);
        return order.state === request.state ? order : undefined;
      });
  return { orders: items, page, height };
}

export function queryLeases(store: KeyValueReader, height: bigint, request: QueryLeasesRequest): QueryLeasesResponse {
  const deployment = request.deployment === undefined ? "" : deploymentKey(checkDeploymentId(request.deployment));
  if (request.datacenter !== "") checkDeploymentId({ tenant: request.datacenter, sequence: 0n }, "datacenter");
  const active = request.state === LeaseState.UNSPECIFIED || request.state === LeaseState.ACTIVE;
  const fits = (lease: Lease): boolean =>
    (request.datacenter === "" || lease.datacenter === request.datacenter) && (active || lease.state === request.state);
  if (!active) {
    const { items, page } = paginate(store, tables.lease + deployment, request.page, (_key, value) => {
      const lease = Lease.decode(value);
      return fits(lease) ? lease : undefined;
    });
    return { leases: items, page, height };
  }
  const byDatacenter = request.datacenter !== "" && deployment === "";
  const prefix = byDatacenter ? tables.datacenterLease + textKey(request.datacenter) : tables.activeLease + deployment;
  const { items, page } = paginate(store, prefix, request.page, (key) => {
    const lease = leases.need(store, readOrderKey(deployment + key));
    return fits(lease) ? lease : undefined;
  });
  return { leases: items, page, height };
}

/** Open fulfillments of a datacenter, and matched ones whose lease is active. */
export function queryFulfillments(
  store: KeyValueReader,
  height: bigint,
  request: QueryFulfillmentsRequest,
): QueryFulfillmentsResponse {
  checkDeploymentId({ tenant: request.datacenter, sequence: 0n }, "datacenter");
  const prefix = tables.datacenterFulfillment + textKey(request.datacenter);
  const { items, page } = paginate(store, prefix, request.page, (key) =>
    fulfillments.need(store, { order: readOrderKey(key), index: readUint32(key, key.length - 4) }),
  );
  return { fulfillments: items, page, height };
}

export function queryDatacenters(
  store: KeyValueReader,
  height: bigint,
  request: QueryDatacentersRequest,
): QueryDatacentersResponse {
  const fits = (datacenter: Datacenter): boolean => request.region === "" || datacenter.region === request.region;
  if (request.address !== "") {
    checkDeploymentId({ tenant: request.address, sequence: 0n }, "address");
    const found = datacenters.get(store, request.address);
    const listed = found !== undefined && fits(found) ? [found] : [];
    return { datacenters: listed, page: { nextKey: new Uint8Array(0) }, height };
  }
  const { items, page } = paginate(store, tables.datacenter, request.page, (_key, value) => {
    const datacenter = Datacenter.decode(value);
    return fits(datacenter) ? datacenter : undefined;
  });
  return { datacenters: items, page, height };
}

/** PERF: one read. */
export function queryTotals(store: KeyValueReader, height: bigint): QueryTotalsResponse {
  const { accounts: _accounts, ...totals } = getTotals(store);
  return { height, ...totals };
}
