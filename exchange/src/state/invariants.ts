import {
  AccountRecord,
  Deployment,
  DeploymentState,
  Fulfillment,
  FulfillmentState,
  Lease,
  LeaseState,
  Order,
  OrderState,
  SlotRecord,
} from "@dcx/protocol";
import { all, type Invariant, keysOf, sum, unequal } from "./invariant";
import { describeFulfillment, describeOrder, orderKey, rateKey, tables, textKey, uint32Key, uint64Key } from "./keys";
import { depositFor } from "./quantities";
import {
  fulfillmentIdOf,
  infrastructureOf,
  interestTable,
  leases,
  orderIdOf,
  orders,
  present,
  slots,
  withGeneration,
} from "./records";
import { proposalDeposits, stakedTokens, stakeInvariants, unbondingTokens, unpaidRewards } from "./stake-invariants";
import type { KeyValueReader } from "./store";
import { getTotals } from "./totals";

function openOrMatched(store: KeyValueReader): Fulfillment[] {
  return [...all(store, tables.fulfillment, Fulfillment)].filter(
    ({ state }) => state === FulfillmentState.OPEN || state === FulfillmentState.MATCHED,
  );
}

function activeLeases(store: KeyValueReader): Lease[] {
  return [...all(store, tables.lease, Lease)].filter(({ state }) => state === LeaseState.ACTIVE);
}

/** What there is anywhere, and what was burnt, is what there was at genesis and the interest minted. */
function tokensAddUp(store: KeyValueReader): string[] {
  const totals = getTotals(store);
  const balances = sum([...all(store, tables.account, AccountRecord)].map((account) => account.balance));
  const collateral = sum(openOrMatched(store).map((fulfillment) => fulfillment.collateral));
  const deposits = sum(activeLeases(store).map((lease) => lease.deposit));
  const inStake = stakedTokens(store) + unbondingTokens(store) + unpaidRewards(store);
  return unequal(
    "all tokens and those that were burnt = genesis + interest",
    balances + collateral + deposits + totals.feePool + inStake + proposalDeposits(store) + totals.burnt,
    totals.genesisSupply + totals.interestMinted,
  );
}

/** The running sums are those of the records. */
function totalsAreExact(store: KeyValueReader): string[] {
  const totals = getTotals(store);
  const accounts = [...all(store, tables.account, AccountRecord)];
  const active = activeLeases(store);
  const deployments = [...all(store, tables.deployment, Deployment)];
  const open = [...all(store, tables.order, Order)].filter(({ state }) => state === OrderState.OPEN);
  return [
    ...unequal("balances", sum(accounts.map((account) => account.balance)), totals.balances),
    ...unequal("accounts", accounts.length, totals.accounts),
    ...unequal("collateral", sum(openOrMatched(store).map((one) => one.collateral)), totals.collateral),
    ...unequal("deposits", sum(active.map((lease) => lease.deposit)), totals.deposits),
    ...unequal("staked", stakedTokens(store), totals.staked),
    ...unequal("unbonding", unbondingTokens(store), totals.unbonding),
    ...unequal("rewards", unpaidRewards(store), totals.rewards),
    ...unequal("proposal deposits", proposalDeposits(store), totals.proposalDeposits),
    ...unequal("active leases", active.length, totals.activeLeases),
    ...unequal("open orders", open.length, totals.openOrders),
    ...unequal(
      "active deployments",
      deployments.filter(({ state }) => state === DeploymentState.ACTIVE).length,
      totals.activeDeployments,
    ),
    ...unequal(
      "matched collateral",
      sum(active.map((lease) => lease.collateral)),
      interestTable.need(store, undefined).matchedCollateral,
    ),
  ];
}

/** A fulfillment that is open posts its groups' collateral; one that is matched posts its active lease's, or nothing. */
function collateralIsPosted(store: KeyValueReader): string[] {
  return [...all(store, tables.fulfillment, Fulfillment)].flatMap((fulfillment) => {
    const id = fulfillmentIdOf(fulfillment);
    const lease = leases.get(store, id.order);
    const leased = lease?.state === LeaseState.ACTIVE && lease.fulfillmentIndex === id.index;
    const posted =
      fulfillment.state === FulfillmentState.OPEN || leased
        ? sum(fulfillment.resources.map((group) => group.collateral))
        : 0n;
    return unequal(`collateral of ${describeFulfillment(id)}`, posted, fulfillment.collateral);
  });
}

/** At most one active lease for an infrastructure, besides one that is being replaced; the slots say which. */
function leasesAreSingle(store: KeyValueReader): string[] {
  const problems: string[] = [];
  const expected = new Set<string>();
  for (const slot of all(store, tables.slot, SlotRecord)) {
    const id = { deployment: present(slot.deployment, "deployment of a slot"), name: slot.infrastructure };
    const name = describeOrder(withGeneration(id, slot.generation));
    if (slot.order !== 0 && slot.successor !== 0) problems.push(`${name}: both an order and a successor are pending`);
    if (slot.successor !== 0 && slot.lease === 0) problems.push(`${name}: a successor without a lease to replace`);
    for (const generation of [slot.lease, slot.successor])
      if (generation !== 0) expected.add(orderKey(withGeneration(id, generation)));
    if (slot.order !== 0) {
      const order = orders.get(store, withGeneration(id, slot.order));
      if (order?.state !== OrderState.OPEN || order.replacesGeneration !== slot.lease)
        problems.push(`${name}: its order is not open for what is leased`);
    }
    if (slot.successor !== 0) {
      const successor = leases.get(store, withGeneration(id, slot.successor));
      if (successor?.replacesGeneration !== slot.lease) problems.push(`${name}: its successor replaces another lease`);
    }
    if (slot.lease !== 0 && leases.get(store, withGeneration(id, slot.lease))?.replacesGeneration !== 0)
      problems.push(`${name}: its lease still is a successor`);
  }
  for (const lease of activeLeases(store)) {
    const key = orderKey(orderIdOf(lease));
    if (!expected.delete(key)) problems.push(`${describeOrder(orderIdOf(lease))}: an active lease without a place`);
  }
  if (expected.size > 0) problems.push(`${expected.size} leases in place are not active`);
  return problems;
}

/** An active lease has a matched order, a matched fulfillment, an active deployment, and its full deposit's remainder. */
function leasesAreFounded(store: KeyValueReader): string[] {
  return activeLeases(store).flatMap((lease) => {
    const id = orderIdOf(lease);
    const name = describeOrder(id);
    const problems: string[] = [];
    if (orders.get(store, id)?.state !== OrderState.MATCHED) problems.push(`${name}: its order is not matched`);
    const key = `${tables.fulfillment}${orderKey(id)}${uint32Key(lease.fulfillmentIndex)}`;
    const bytes = store.get(key);
    if (bytes === undefined || Fulfillment.decode(bytes).state !== FulfillmentState.MATCHED)
      problems.push(`${name}: its fulfillment is not matched`);
    if (lease.deposit !== depositFor(BigInt(lease.rate), lease.reconfirmationPeriod))
      problems.push(`${name}: its deposit is ${lease.deposit}`);
    return problems;
  });
}

/** An open order belongs to an infrastructure that its deployment still has. */
function ordersAreWanted(store: KeyValueReader): string[] {
  const active = [...all(store, tables.deployment, Deployment)].filter(({ state }) => state === DeploymentState.ACTIVE);
  const wanted = new Set(
    active.flatMap(({ id, infrastructures }) =>
      infrastructures.map(({ terms, generation }) => `${id?.tenant}/${id?.sequence}/${terms?.name}/${generation}`),
    ),
  );
  return [...all(store, tables.order, Order)]
    .filter((order) => order.state === OrderState.OPEN)
    .map((order) => describeOrder(orderIdOf(order)))
    .filter((name) => !wanted.has(name))
    .map((name) => `${name}: open, and nobody's newest order`);
}

/** Every index holds exactly what its records say. */
function indicesAreExact(store: KeyValueReader): string[] {
  const expected = new Map<string, Set<string>>();
  const expect = (table: string, key: string): void => {
    const keys = expected.get(table) ?? new Set();
    expected.set(table, keys.add(table + key));
  };
  for (const order of all(store, tables.order, Order)) {
    if (order.state !== OrderState.OPEN) continue;
    const key = orderKey(orderIdOf(order));
    expect(tables.openOrder, key);
    if (order.fulfillmentCount > 0) expect(tables.matchable, uint64Key(order.dueHeight) + key);
  }
  const counts = new Map<string, number>();
  for (const fulfillment of all(store, tables.fulfillment, Fulfillment)) {
    const { order, index } = fulfillmentIdOf(fulfillment);
    const key = orderKey(order);
    const open = fulfillment.state === FulfillmentState.OPEN;
    const leased =
      fulfillment.state === FulfillmentState.MATCHED && leases.get(store, order)?.state === LeaseState.ACTIVE;
    if (open) {
      counts.set(key, (counts.get(key) ?? 0) + 1);
      const rank = rateKey(BigInt(fulfillment.rate)) + uint64Key(fulfillment.height) + uint32Key(index);
      expect(tables.bid, key + rank);
    }
    if (open || leased) expect(tables.datacenterFulfillment, textKey(fulfillment.datacenter) + key + uint32Key(index));
  }
  for (const lease of activeLeases(store)) {
    const key = orderKey(orderIdOf(lease));
    expect(tables.activeLease, key);
    expect(tables.datacenterLease, textKey(lease.datacenter) + key);
    expect(tables.stale, uint64Key(lease.lastConfirmedHeight + lease.reconfirmationPeriod + 1n) + key);
  }
  const problems: string[] = [];
  for (const order of all(store, tables.order, Order))
    if ((counts.get(orderKey(orderIdOf(order))) ?? 0) !== order.fulfillmentCount)
      problems.push(`${describeOrder(orderIdOf(order))}: its count of fulfillments is wrong`);
  const indices = [
    tables.openOrder,
    tables.matchable,
    tables.bid,
    tables.datacenterFulfillment,
    tables.activeLease,
    tables.datacenterLease,
    tables.stale,
  ];
  for (const table of indices) {
    const wanted = expected.get(table) ?? new Set();
    const there = keysOf(store, table);
    if (there.length !== wanted.size || there.some((key) => !wanted.has(key)))
      problems.push(`index ${table}: ${there.length} entries, ${wanted.size} by the records, or others`);
  }
  return problems;
}

/** Every lease and order of which nothing was pruned still has its slot, and no generation beyond its slot's. */
function generationsAreCounted(store: KeyValueReader): string[] {
  return [...all(store, tables.order, Order)].flatMap((order) => {
    const id = orderIdOf(order);
    const slot = slots.get(store, infrastructureOf(id));
    if (slot === undefined) return order.state === OrderState.OPEN ? [`${describeOrder(id)}: open without a slot`] : [];
    return id.generation > slot.generation ? [`${describeOrder(id)}: a generation that was not counted`] : [];
  });
}

const invariants: Readonly<Record<string, Invariant>> = {
  tokensAddUp,
  totalsAreExact,
  collateralIsPosted,
  leasesAreSingle,
  leasesAreFounded,
  ordersAreWanted,
  indicesAreExact,
  generationsAreCounted,
  ...stakeInvariants,
};

/**
 * Checks every invariant, each computed from scratch (design: "Invariants"); a sentence `<name>: <where it fails>` for each failure, none where all hold.
 */
export function checkInvariants(store: KeyValueReader): string[] {
  return Object.entries(invariants).flatMap(([name, invariant]) =>
    invariant(store).map((problem) => `${name}: ${problem}`),
  );
}
