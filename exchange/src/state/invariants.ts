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
import { all, count, type Invariant, indexProblems, sum, unequal } from "./invariant";
import { describeFulfillment, describeOrder, orderKey, rateKey, tables, textKey, uint32Key, uint64Key } from "./keys";
import { depositFor } from "./quantities";
import {
  deployments,
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

function openOrMatched(store: KeyValueReader): IteratorObject<Fulfillment> {
  return all(store, tables.fulfillment, Fulfillment).filter(
    ({ state }) => state === FulfillmentState.OPEN || state === FulfillmentState.MATCHED,
  );
}

function activeLeases(store: KeyValueReader): IteratorObject<Lease> {
  return all(store, tables.lease, Lease).filter(({ state }) => state === LeaseState.ACTIVE);
}

function openOrders(store: KeyValueReader): IteratorObject<Order> {
  return all(store, tables.order, Order).filter(({ state }) => state === OrderState.OPEN);
}

/** What there is anywhere, and what was burnt, is what there was at genesis and the interest minted. */
function tokensAddUp(store: KeyValueReader): string[] {
  const totals = getTotals(store);
  const balances = sum(all(store, tables.account, AccountRecord).map((account) => account.balance));
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
  const accounts = () => all(store, tables.account, AccountRecord);
  const activeDeployments = all(store, tables.deployment, Deployment).filter(
    ({ state }) => state === DeploymentState.ACTIVE,
  );
  return [
    ...unequal("balances", sum(accounts().map((account) => account.balance)), totals.balances),
    ...unequal("accounts", count(accounts()), totals.accounts),
    ...unequal("collateral", sum(openOrMatched(store).map((one) => one.collateral)), totals.collateral),
    ...unequal("deposits", sum(activeLeases(store).map((lease) => lease.deposit)), totals.deposits),
    ...unequal("staked", stakedTokens(store), totals.staked),
    ...unequal("unbonding", unbondingTokens(store), totals.unbonding),
    ...unequal("rewards", unpaidRewards(store), totals.rewards),
    ...unequal("proposal deposits", proposalDeposits(store), totals.proposalDeposits),
    ...unequal("active leases", count(activeLeases(store)), totals.activeLeases),
    ...unequal("open orders", count(openOrders(store)), totals.openOrders),
    ...unequal("active deployments", count(activeDeployments), totals.activeDeployments),
    ...unequal(
      "matched collateral",
      sum(activeLeases(store).map((lease) => lease.collateral)),
      interestTable.need(store, undefined).matchedCollateral,
    ),
  ];
}

/** A fulfillment that is open posts its groups' collateral; one that is matched posts its active lease's, or nothing. */
function collateralIsPosted(store: KeyValueReader): string[] {
  return all(store, tables.fulfillment, Fulfillment)
    .flatMap((fulfillment) => {
      const id = fulfillmentIdOf(fulfillment);
      const lease = leases.get(store, id.order);
      const leased = lease?.state === LeaseState.ACTIVE && lease.fulfillmentIndex === id.index;
      const posted =
        fulfillment.state === FulfillmentState.OPEN || leased
          ? sum(fulfillment.resources.map((group) => group.collateral))
          : 0n;
      return unequal(`collateral of ${describeFulfillment(id)}`, posted, fulfillment.collateral);
    })
    .toArray();
}

/** At most one active lease for an infrastructure, besides one that is being replaced; the slots say which. */
function leasesAreSingle(store: KeyValueReader): string[] {
  const problems: string[] = [];
  let inactive = 0;
  for (const slot of all(store, tables.slot, SlotRecord)) {
    const id = { deployment: present(slot.deployment, "deployment of a slot"), name: slot.infrastructure };
    const name = describeOrder(withGeneration(id, slot.generation));
    if (slot.order !== 0 && slot.successor !== 0) problems.push(`${name}: both an order and a successor are pending`);
    if (slot.successor !== 0 && slot.lease === 0) problems.push(`${name}: a successor without a lease to replace`);
    for (const generation of [slot.lease, slot.successor])
      if (generation !== 0 && leases.get(store, withGeneration(id, generation))?.state !== LeaseState.ACTIVE)
        inactive += 1;
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
    const id = orderIdOf(lease);
    const slot = slots.get(store, infrastructureOf(id));
    if (slot === undefined || ![slot.lease, slot.successor].includes(id.generation))
      problems.push(`${describeOrder(id)}: an active lease without a place`);
  }
  if (inactive > 0) problems.push(`${inactive} leases in place are not active`);
  return problems;
}

/** An active lease has a matched order, a matched fulfillment, an active deployment, and its full deposit's remainder. */
function leasesAreFounded(store: KeyValueReader): string[] {
  return activeLeases(store)
    .flatMap((lease) => {
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
    })
    .toArray();
}

/** An open order belongs to an infrastructure that its deployment still has. */
function ordersAreWanted(store: KeyValueReader): string[] {
  return openOrders(store)
    .filter((order) => {
      const id = orderIdOf(order);
      const deployment = deployments.get(store, id);
      return !(
        deployment?.state === DeploymentState.ACTIVE &&
        deployment.infrastructures.some(
          ({ terms, generation }) => terms?.name === id.infrastructure && generation === id.generation,
        )
      );
    })
    .map((order) => `${describeOrder(orderIdOf(order))}: open, and nobody's newest order`)
    .toArray();
}

function isOpen({ state }: Fulfillment): boolean {
  return state === FulfillmentState.OPEN;
}

function bidKey(fulfillment: Fulfillment): string {
  const { order, index } = fulfillmentIdOf(fulfillment);
  const rank = rateKey(BigInt(fulfillment.rate)) + uint64Key(fulfillment.height) + uint32Key(index);
  return tables.bid + orderKey(order) + rank;
}

/** Every index holds exactly what its records say. */
function indicesAreExact(store: KeyValueReader): string[] {
  const fulfillmentsAre = (test: (fulfillment: Fulfillment) => boolean) =>
    all(store, tables.fulfillment, Fulfillment).filter(test);
  const isHeld = (fulfillment: Fulfillment) =>
    isOpen(fulfillment) ||
    (fulfillment.state === FulfillmentState.MATCHED &&
      leases.get(store, fulfillmentIdOf(fulfillment).order)?.state === LeaseState.ACTIVE);
  const keyOf = (record: Order | Lease) => orderKey(orderIdOf(record));
  const expected: Readonly<Record<string, Iterable<string>>> = {
    [tables.openOrder]: openOrders(store).map((order) => tables.openOrder + keyOf(order)),
    [tables.matchable]: openOrders(store)
      .filter((order) => order.fulfillmentCount > 0)
      .map((order) => tables.matchable + uint64Key(order.dueHeight) + keyOf(order)),
    [tables.bid]: fulfillmentsAre(isOpen).map(bidKey),
    [tables.datacenterFulfillment]: fulfillmentsAre(isHeld).map((fulfillment) => {
      const { order, index } = fulfillmentIdOf(fulfillment);
      return tables.datacenterFulfillment + textKey(fulfillment.datacenter) + orderKey(order) + uint32Key(index);
    }),
    [tables.activeLease]: activeLeases(store).map((lease) => tables.activeLease + keyOf(lease)),
    [tables.datacenterLease]: activeLeases(store).map(
      (lease) => tables.datacenterLease + textKey(lease.datacenter) + keyOf(lease),
    ),
    [tables.stale]: activeLeases(store).map(
      (lease) => tables.stale + uint64Key(lease.lastConfirmedHeight + lease.reconfirmationPeriod + 1n) + keyOf(lease),
    ),
  };
  return Object.entries(expected).flatMap(([table, keys]) => indexProblems(store, table, keys));
}

/** An order counts its open fulfillments, and none is of an order that is gone. */
function fulfillmentsAreCounted(store: KeyValueReader): string[] {
  const problems: string[] = [];
  let counted = 0;
  for (const order of all(store, tables.order, Order)) {
    const open = count(all(store, tables.fulfillment + orderKey(orderIdOf(order)), Fulfillment).filter(isOpen));
    counted += open;
    if (open !== order.fulfillmentCount)
      problems.push(`${describeOrder(orderIdOf(order))}: its count of fulfillments is wrong`);
  }
  const there = count(all(store, tables.fulfillment, Fulfillment).filter(isOpen));
  return [...problems, ...unequal("open fulfillments of orders", counted, there)];
}

/** Every lease and order of which nothing was pruned still has its slot, and no generation beyond its slot's. */
function generationsAreCounted(store: KeyValueReader): string[] {
  return all(store, tables.order, Order)
    .flatMap((order) => {
      const id = orderIdOf(order);
      const slot = slots.get(store, infrastructureOf(id));
      if (slot === undefined)
        return order.state === OrderState.OPEN ? [`${describeOrder(id)}: open without a slot`] : [];
      return id.generation > slot.generation ? [`${describeOrder(id)}: a generation that was not counted`] : [];
    })
    .toArray();
}

const invariants: Readonly<Record<string, Invariant>> = {
  tokensAddUp,
  totalsAreExact,
  collateralIsPosted,
  leasesAreSingle,
  leasesAreFounded,
  ordersAreWanted,
  indicesAreExact,
  fulfillmentsAreCounted,
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
