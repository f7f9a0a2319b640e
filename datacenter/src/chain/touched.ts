import { deploymentKey, type ExchangeEvent, LeaseState, type OrderId, OrderState, orderKey } from "@dcx/protocol";
import { infrastructureKey, type MutableView } from "./view";

/** Ids that the events of a block name. */
export interface Touched {
  readonly orders: Set<string>;
  readonly ownOrders: Set<string>;
  readonly deployments: Set<string>;
  record: boolean;
  parameters: boolean;
}

interface Own {
  readonly datacenter: string;
  readonly region: string;
  /** Whether events are, without a proof. */
  readonly believed: boolean;
}

/**
 * What is to be read again after events. What is over by their word alone leaves the view at once, where their endpoint is
 * believed.
 */
export function touchedBy(events: readonly ExchangeEvent[], view: MutableView, own: Own): Touched {
  const touched: Touched = {
    orders: new Set(),
    ownOrders: new Set(),
    deployments: new Set(),
    record: false,
    parameters: false,
  };
  for (const event of events) touch(view, touched, event, own);
  return touched;
}

function touch(view: MutableView, touched: Touched, event: ExchangeEvent, own: Own): void {
  const { datacenter, region } = own;
  if (event.type === "order" && event.value.order !== undefined) {
    const key = orderKey(event.value.order);
    const ours = event.value.region === "" || event.value.region === region;
    if (event.value.state === OrderState.OPEN && ours) touched.orders.add(key);
    else {
      view.orders.delete(key);
      touched.orders.delete(key);
    }
  } else if (event.type === "fulfillment" && event.value.datacenter === datacenter) {
    if (event.value.fulfillment?.order !== undefined) touched.ownOrders.add(orderKey(event.value.fulfillment.order));
  } else if (event.type === "lease" && event.value.lease !== undefined) {
    touchLease(view, touched, event.value, event.value.lease, own);
  } else if (event.type === "deployment" && event.value.deployment !== undefined) {
    const key = deploymentKey(event.value.deployment);
    if (view.deployments.has(key)) touched.deployments.add(key);
  } else if (event.type === "datacenter") {
    if (event.value.datacenter === datacenter) touched.record = true;
    for (const [key, { datacenters }] of view.deployments) {
      if (datacenters.some(({ address }) => address === event.value.datacenter)) touched.deployments.add(key);
    }
  } else if (event.type === "parameters") {
    touched.parameters = true;
  }
}

function touchLease(
  view: MutableView,
  touched: Touched,
  { state, datacenter }: { readonly state: LeaseState; readonly datacenter: string },
  lease: OrderId,
  own: Own,
): void {
  const deployment = deploymentKey(lease);
  if (datacenter !== own.datacenter) {
    if (view.deployments.has(deployment)) touched.deployments.add(deployment);
    return;
  }
  touched.deployments.add(deployment);
  touched.ownOrders.add(orderKey(lease));
  // An event proves nothing: where the endpoint is not believed the lease goes once it is read.
  if (state !== LeaseState.ACTIVE && own.believed) view.leases.delete(orderKey(lease));
  if (state === LeaseState.BROKEN) view.broken.set(infrastructureKey(lease), view.height + 1n);
}
