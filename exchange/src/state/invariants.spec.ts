import { DeploymentState, LeaseState } from "@dcx/protocol";
import { Branch } from "./branch";
import { checkInvariants } from "./invariants";
import { deploymentKey, fulfillmentKey, orderKey, prefixEnd, tables } from "./keys";
import { deployments, infrastructureOf, leases, orders, slots } from "./records";
import { orderOf, terms, World } from "./testing/world";

/** An order with two bids, and a lease. */
function world() {
  const exchange = new World({
    accounts: { alice: 1_000_000n },
    datacenters: { sierra: { region: "us-west" }, tidewater: { region: "us-east" } },
  });
  const lease = exchange.lease("alice", "sierra");
  const order = orderOf(exchange.deploy("alice", [terms("east")]), "east");
  exchange.bid("sierra", order);
  exchange.bid("tidewater", order);
  return { exchange, lease, order };
}

const { exchange, lease, order } = world();

function entriesOf(table: string): (readonly [string, Uint8Array])[] {
  return [...exchange.state.range(table, prefixEnd(table))];
}

/** Removes one entry of an index. */
function lose(table: string) {
  return (state: Branch) => {
    const [first] = entriesOf(table);
    if (first === undefined) throw new Error(`nothing is in ${table}`);
    state.delete(first[0]);
  };
}

test("every invariant holds before anything is changed", () => {
  expect(checkInvariants(exchange.state)).toEqual([]);
});

test.each<[string, string, (state: Branch) => void]>([
  ["an open order is in no index", "indicesAreExact", lose(tables.openOrder)],
  ["an order with bids is not matchable", "indicesAreExact", lose(tables.matchable)],
  ["a bid is in no index", "indicesAreExact", lose(tables.bid)],
  ["a datacenter's bid is in no index", "indicesAreExact", lose(tables.datacenterFulfillment)],
  ["an active lease is in no index", "indicesAreExact", lose(tables.activeLease)],
  ["a datacenter's lease is in no index", "indicesAreExact", lose(tables.datacenterLease)],
  ["a lease never gets stale", "indicesAreExact", lose(tables.stale)],
  [
    "an index holds what is no record's",
    "indicesAreExact",
    (state) => state.set(`${tables.openOrder}x`, Uint8Array.of(1)),
  ],
  [
    "an order counts a bid too many",
    "fulfillmentsAreCounted",
    (state) => orders.put(state, order, { ...orders.need(state, order), fulfillmentCount: 3 }),
  ],
  [
    "an order is gone and its bids are not",
    "fulfillmentsAreCounted",
    (state) => state.delete(tables.order + orderKey(order)),
  ],
  [
    "a bid is gone with its collateral",
    "tokensAddUp",
    (state) => state.delete(tables.fulfillment + fulfillmentKey(order, 1)),
  ],
  [
    "a lease has no place",
    "leasesAreSingle",
    (state) => {
      const id = infrastructureOf(lease);
      slots.put(state, id, { ...slots.need(state, id), lease: 0 });
    },
  ],
  [
    "a lease in place is not active",
    "leasesAreSingle",
    (state) => leases.put(state, lease, { ...leases.need(state, lease), state: LeaseState.CLOSED }),
  ],
  [
    "an open order is of a deployment that is cancelled",
    "ordersAreWanted",
    (state) => deployments.put(state, order, { ...deployments.need(state, order), state: DeploymentState.CANCELLED }),
  ],
  [
    "an open order is of no deployment",
    "ordersAreWanted",
    (state) => state.delete(tables.deployment + deploymentKey(order)),
  ],
  [
    "a lease has another deposit",
    "leasesAreFounded",
    (state) => leases.put(state, lease, { ...leases.need(state, lease), deposit: 1n }),
  ],
])("it is told that %s", (_what, invariant, change) => {
  const state = new Branch(exchange.state);
  change(state);
  expect(checkInvariants(state)).toContainEqual(expect.stringMatching(`^${invariant}: `));
});
