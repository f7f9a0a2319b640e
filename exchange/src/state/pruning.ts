import { type DeploymentId, DeploymentState, LeaseState, type OrderId, OrderState, TimerKind } from "@dcx/protocol";
import type { TransitionContext } from "./context";
import { deploymentKey, orderKey, prefixEnd, tables } from "./keys";
import { deployments, leases, orders } from "./records";
import type { KeyValueStore } from "./store";
import { orderTimer, setTimer } from "./timers";

/** Most records that one pruning deletes in a block: an order may have seen any number of fulfillments. */
const recordsAtOnce = 200;

/** Deletes up to the bound; whether nothing is left. */
function deleteRange(store: KeyValueStore, prefix: string): boolean {
  const keys = [...store.range(prefix, prefixEnd(prefix), { limit: recordsAtOnce })].map(([key]) => key);
  for (const key of keys) store.delete(key);
  return keys.length < recordsAtOnce;
}

/** A closed order, its fulfillments and its ended lease go. PERF: at most `recordsAtOnce` deletions. */
export function pruneOrder(store: KeyValueStore, context: TransitionContext, id: OrderId): void {
  const order = orders.get(store, id);
  if (order === undefined || order.state === OrderState.OPEN || leases.get(store, id)?.state === LeaseState.ACTIVE)
    return;
  if (!deleteRange(store, tables.fulfillment + orderKey(id))) {
    setTimer(store, context.height + 1n, orderTimer(TimerKind.PRUNE_ORDER, id));
    return;
  }
  leases.delete(store, id);
  orders.delete(store, id);
}

/** A cancelled deployment goes, with what kept count of its infrastructures. PERF: at most `recordsAtOnce` deletions. */
export function pruneDeployment(store: KeyValueStore, context: TransitionContext, subject: OrderId): void {
  const id: DeploymentId = { tenant: subject.tenant, sequence: subject.sequence };
  if (deployments.get(store, id)?.state !== DeploymentState.CANCELLED) return;
  if (!deleteRange(store, tables.slot + deploymentKey(id))) {
    setTimer(store, context.height + 1n, { kind: TimerKind.PRUNE_DEPLOYMENT, subject, datacenter: "" });
    return;
  }
  deployments.delete(store, id);
}
