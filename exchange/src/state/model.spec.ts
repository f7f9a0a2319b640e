import {
  Deployment,
  Fulfillment,
  FulfillmentState,
  Lease,
  Order,
  OrderState,
  Proposal,
  Redelegation,
  Unbonding,
  Validator,
} from "@dcx/protocol";
import fc from "fast-check";
import { ExchangeError } from "./errors";
import { describeFulfillment, describeOrder, tables } from "./keys";
import { fulfillmentIdOf, orderIdOf } from "./records";
import { type Action, act, histories, isActive, newWorld, records, tenants } from "./testing/histories";
import { addressOf } from "./testing/names";
import type { World } from "./testing/world";

// `World` checks every invariant after every block and throws where one fails.

/** Plays a history; what was refused, by code. After a refusal the present block must be as it was. */
function play(world: World, history: readonly Action[], watch: () => void = () => {}): number[] {
  const refused: number[] = [];
  for (const step of history) {
    const before = [...world.state.changes()];
    try {
      act(world, step);
    } catch (error) {
      if (!(error instanceof ExchangeError)) throw error;
      refused.push(error.code);
      expect([...world.state.changes()]).toEqual(before);
    }
    watch();
  }
  world.blocks(2);
  return refused;
}

/** What has closed so far, by id, and how. */
function closedThings(world: World): Map<string, string> {
  const closed = new Map<string, string>();
  for (const order of records(world, tables.order, Order))
    if (order.state !== OrderState.OPEN) closed.set(`order ${describeOrder(orderIdOf(order))}`, `${order.state}`);
  for (const lease of records(world, tables.lease, Lease))
    if (!isActive(lease)) closed.set(`lease ${describeOrder(orderIdOf(lease))}`, `${lease.state}`);
  for (const one of records(world, tables.fulfillment, Fulfillment))
    if (one.state !== FulfillmentState.OPEN && one.state !== FulfillmentState.MATCHED)
      closed.set(`fulfillment ${describeFulfillment(fulfillmentIdOf(one))}`, `${one.state}`);
  return closed;
}

describe("any history of messages", () => {
  test("keeps every invariant after every block, and a refused message changes nothing", () => {
    fc.assert(
      fc.property(histories, (history) => {
        play(newWorld(), history);
      }),
      { numRuns: 60 },
    );
  });

  test("gives the same state when it is played again", () => {
    fc.assert(
      fc.property(histories, (history) => {
        const first = newWorld();
        const second = newWorld();
        expect(play(first, history)).toEqual(play(second, history));
        expect(second.store.entries()).toEqual(first.store.entries());
        expect(second.events).toEqual(first.events);
      }),
      { numRuns: 15 },
    );
  });

  test("never reopens what is closed, nor uses an id again", () => {
    fc.assert(
      fc.property(histories, (history) => {
        const world = newWorld();
        const seen = new Map<string, string>();
        play(world, history, () => {
          const now = closedThings(world);
          const there = new Set([
            ...records(world, tables.order, Order).map((order) => `order ${describeOrder(orderIdOf(order))}`),
            ...records(world, tables.lease, Lease).map((lease) => `lease ${describeOrder(orderIdOf(lease))}`),
          ]);
          // Closed once: closed the same way, or pruned.
          for (const [id, how] of seen) if (there.has(id)) expect([id, now.get(id)]).toEqual([id, how]);
          for (const [id, how] of now) seen.set(id, how);
        });
      }),
      { numRuns: 15 },
    );
  });

  test("leaves nothing behind once all is cancelled and pruned", () => {
    fc.assert(
      fc.property(histories, (history) => {
        const world = newWorld();
        play(world, history);
        for (const deployment of records(world, tables.deployment, Deployment)) {
          const owner = tenants.find((name) => addressOf(name) === deployment.id?.tenant) ?? "alice";
          if (deployment.closedHeight === 0n && deployment.id !== undefined) world.cancel(owner, deployment.id);
        }
        world.blocks(60);
        const kept: string[] = [tables.chain, tables.parameters, tables.totals, tables.interest];
        kept.push(tables.account, tables.datacenter, tables.deploymentCounter, tables.feeGrant);
        // Stake stays, and nothing of what was on its way from one place to another.
        kept.push(tables.staking, tables.validator, tables.validatorKey, tables.candidate, tables.activeValidator);
        kept.push(tables.validatorRewards, tables.signing, tables.delegation, tables.validatorDelegation);
        kept.push(tables.governance);
        const left = world.store.entries().filter(([key]) => !kept.includes(key.slice(0, 2)));
        expect(left).toEqual([]);
      }),
      { numRuns: 15 },
    );
  });
});

test("the histories reach every state that there is", () => {
  const reached = new Set<string>();
  for (const history of fc.sample(histories, { numRuns: 150, seed: 7 })) {
    const world = newWorld();
    play(world, history, () => {
      for (const { power, jailed, tombstoned } of records(world, tables.validator, Validator))
        reached.add(`validator ${power > 0n ? "in" : "out"} ${tombstoned ? "barred" : jailed ? "jailed" : "free"}`);
      for (const _ of records(world, tables.unbonding, Unbonding)) reached.add("unbonding");
      for (const { status } of records(world, tables.proposal, Proposal)) reached.add(`proposal ${status}`);
      for (const _ of records(world, tables.redelegation, Redelegation)) reached.add("redelegation");
      for (const lease of records(world, tables.lease, Lease)) reached.add(`lease ${lease.closeReason}`);
      for (const order of records(world, tables.order, Order)) reached.add(`order ${order.closeReason}`);
      for (const one of records(world, tables.fulfillment, Fulfillment)) reached.add(`fulfillment ${one.state}`);
    });
  }
  // Leases: all reasons but the orders' own. (The numbers are those of CloseReason and FulfillmentState.)
  for (const reason of [0, 1, 2, 3, 4, 6, 7, 8, 9, 10]) expect(reached).toContain(`lease ${reason}`);
  for (const reason of [0, 1, 2, 3, 5, 11, 12]) expect(reached).toContain(`order ${reason}`);
  for (const state of [1, 2, 3, 4, 5]) expect(reached).toContain(`fulfillment ${state}`);
  for (const state of ["in free", "out free", "out jailed", "out barred"])
    expect(reached).toContain(`validator ${state}`);
  for (const status of [1, 2, 3]) expect(reached).toContain(`proposal ${status}`);
  for (const state of ["unbonding", "redelegation"]) expect(reached).toContain(state);
});
