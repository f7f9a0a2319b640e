import {
  type Lease as ChainLease,
  type Order as ChainOrder,
  CloseReason,
  type DeploymentId,
  DeploymentState,
  type ExchangeQueryClient,
  LeaseState,
  OrderState,
  pages,
} from "@dcx/protocol";
import type { LeaseRecord, OrderRecord, RecordsOf } from "../driver";
import { closeReason, leaseOf, termsOf } from "./translate";

const orderStates = { open: OrderState.OPEN, matched: OrderState.MATCHED, closed: OrderState.CLOSED } as const;
const leaseStates = { active: LeaseState.ACTIVE, closed: LeaseState.CLOSED, broken: LeaseState.BROKEN } as const;

/** Orders of one deployment or of all of an account's, as the chain keeps them: what ended goes after a while. */
export async function ordersOf(
  query: ExchangeQueryClient,
  of: RecordsOf,
  state: OrderRecord["state"],
  signal: AbortSignal,
): Promise<readonly OrderRecord[]> {
  const found: OrderRecord[] = [];
  for (const deployment of await deploymentsOf(query, of, state === "open", signal)) {
    for await (const order of pages(
      (page) => query.orders({ deployment, state: orderStates[state], page }, { signal }),
      (answer) => answer.orders,
    )) {
      found.push(await orderRecord(query, order, state, signal));
    }
  }
  return found.sort(inOrder);
}

/** As `ordersOf`, of leases. */
export async function leasesOf(
  query: ExchangeQueryClient,
  of: RecordsOf,
  state: LeaseRecord["state"],
  signal: AbortSignal,
): Promise<readonly LeaseRecord[]> {
  const found: LeaseRecord[] = [];
  for (const deployment of await deploymentsOf(query, of, state === "active", signal)) {
    for await (const lease of pages(
      (page) => query.leases({ deployment, state: leaseStates[state], page }, { signal }),
      (answer) => answer.leases,
    )) {
      found.push(leaseRecord(lease, state));
    }
  }
  return found.sort(inOrder);
}

/** Only active deployments have what is open or active. */
async function deploymentsOf(
  query: ExchangeQueryClient,
  of: RecordsOf,
  onlyActive: boolean,
  signal: AbortSignal,
): Promise<readonly DeploymentId[]> {
  if (of.sequence !== undefined) {
    return [{ tenant: of.tenant, sequence: of.sequence }];
  }
  const state = onlyActive ? DeploymentState.ACTIVE : DeploymentState.UNSPECIFIED;
  const found: DeploymentId[] = [];
  for await (const { id } of pages(
    (page) => query.deployments({ tenant: of.tenant, state, page }, { signal }),
    (answer) => answer.deployments,
  )) {
    if (id !== undefined) {
      found.push(id);
    }
  }
  return found;
}

async function orderRecord(
  query: ExchangeQueryClient,
  order: ChainOrder,
  state: OrderRecord["state"],
  signal: AbortSignal,
): Promise<OrderRecord> {
  const { id } = order;
  const bids =
    state === "open" && id !== undefined && order.fulfillmentCount > 0
      ? (await query.order(id, { signal })).fulfillments
      : [];
  return {
    ...keyOf(order),
    state,
    terms: termsOf(order.terms),
    openedHeight: order.openedHeight,
    dueHeight: order.dueHeight,
    reason: reasonOf(order.closeReason),
    offers: bids
      .map(({ datacenter, rate }) => ({ datacenter, rate: BigInt(rate || "0") }))
      .sort((a, b) => (a.rate < b.rate ? -1 : a.rate > b.rate ? 1 : 0)),
    replaces: order.replacesGeneration !== 0,
  };
}

function leaseRecord(lease: ChainLease, state: LeaseRecord["state"]): LeaseRecord {
  return {
    ...keyOf(lease),
    state,
    lease: leaseOf(lease),
    lastConfirmedHeight: lease.lastConfirmedHeight,
    rentPaid: lease.rentPaid,
    deposit: lease.deposit,
    collateral: lease.collateral,
    reason: reasonOf(lease.closeReason),
    closedHeight: lease.closedHeight === 0n ? undefined : lease.closedHeight,
  };
}

function keyOf({ id }: ChainOrder | ChainLease): {
  tenant: string;
  sequence: bigint;
  infrastructure: string;
  generation: number;
} {
  return {
    tenant: id?.tenant ?? "",
    sequence: id?.sequence ?? 0n,
    infrastructure: id?.infrastructure ?? "",
    generation: id?.generation ?? 0,
  };
}

function reasonOf(reason: CloseReason): string | undefined {
  return reason === CloseReason.UNSPECIFIED ? undefined : closeReason(reason);
}

function inOrder(a: OrderRecord | LeaseRecord, b: OrderRecord | LeaseRecord): number {
  if (a.sequence !== b.sequence) {
    return a.sequence < b.sequence ? -1 : 1;
  }
  return a.infrastructure === b.infrastructure
    ? a.generation - b.generation
    : a.infrastructure < b.infrastructure
      ? -1
      : 1;
}
