import {
  Deployment,
  Fulfillment,
  FulfillmentState,
  Lease,
  LeaseState,
  Order,
  type OrderId,
  OrderState,
} from "@dcx/protocol";
import fc from "fast-check";
import { ExchangeError } from "./errors";
import { describeFulfillment, describeOrder, prefixEnd, tables } from "./keys";
import { fulfillmentIdOf, orderIdOf } from "./records";
import { addressOf, bytesOf, messages, terms, World } from "./testing/world";

/**
 * Random histories of all messages by several tenants, managers and datacenters, with blocks and facilitator's parts in
 * between. `World` checks every invariant after every block and throws where one fails.
 */
const tenants = ["alice", "bob"];
const managers = ["mia"];
const sites = ["sierra", "tidewater", "umbra"];
const names = ["west", "east"];
const versions = ["v1", "v2"];
const regions = ["", "", "us-west"];

const tenant = fc.constantFrom(...tenants);
const sender = fc.constantFrom(...tenants, ...managers);
const site = fc.constantFrom(...sites);
const infrastructure = fc
  .record({
    name: fc.constantFrom(...names),
    price: fc.constantFrom(0n, 3n, 5n, 9n),
    count: fc.constantFrom(1, 3),
    collateral: fc.constantFrom(0n, 100n, 333n),
    memory: fc.constantFrom(1024n, 2048n),
    region: fc.constantFrom(...regions),
    denied: fc.constantFrom<string[]>([], [], ["sierra"]),
    persist: fc.boolean(),
  })
  .map(({ name, ...rest }) => terms(name, rest));
const pick = fc.nat(50);
const seldom = fc.nat(9).map((value) => value === 0);

const action = fc.oneof(
  { weight: 6, arbitrary: fc.record({ kind: fc.constant("blocks" as const), count: fc.constantFrom(1, 1, 2, 3, 6) }) },
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constant("deploy" as const),
      tenant,
      infrastructures: fc.uniqueArray(infrastructure, { maxLength: 2, selector: (one) => one.name }),
      wait: fc.constantFrom(0n, 2n),
      token: fc.constantFrom("t1", "t2"),
      version: fc.constantFrom(...versions),
    }),
  },
  {
    weight: 4,
    arbitrary: fc.record({
      kind: fc.constant("update" as const),
      by: sender,
      asTenant: fc.boolean(),
      pick,
      infrastructures: fc.uniqueArray(infrastructure, { maxLength: 2, selector: (one) => one.name }),
      removed: fc.constantFrom<string[][]>([], [], [], ["west"]),
      wait: fc.option(fc.constantFrom(0n, 4n), { nil: undefined }),
      version: fc.option(fc.constantFrom(...versions), { nil: undefined }),
      late: seldom,
    }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("cancel" as const), tenant, pick }) },
  {
    weight: 8,
    arbitrary: fc.record({
      kind: fc.constant("bid" as const),
      site,
      pick,
      price: fc.constantFrom(undefined, undefined, 0n, 2n),
    }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("cancelBid" as const), pick }) },
  { weight: 5, arbitrary: fc.record({ kind: fc.constant("bidAll" as const), site }) },
  {
    weight: 6,
    arbitrary: fc.record({ kind: fc.constant("confirmAll" as const), version: fc.constantFrom("", "v1", "v1", "v2") }),
  },
  {
    weight: 5,
    arbitrary: fc.record({ kind: fc.constant("confirm" as const), pick, version: fc.constantFrom("", ...versions) }),
  },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant("notice" as const), pick }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant("closeLease" as const), sender, pick, reopen: fc.boolean() }) },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant("transfer" as const),
      from: sender,
      to: sender,
      amount: fc.constantFrom(1n, 300n, 2_000n),
    }),
  },
);
type Action = typeof action extends fc.Arbitrary<infer Value> ? Value : never;

function records<Value>(world: World, table: string, codec: { decode(bytes: Uint8Array): Value }): Value[] {
  return [...world.state.range(table, prefixEnd(table))].map(([, value]) => codec.decode(value));
}

function choose<Value>(values: readonly Value[], index: number): Value | undefined {
  return values.length === 0 ? undefined : values[index % values.length];
}

function act(world: World, step: Action): void {
  switch (step.kind) {
    case "blocks":
      world.blocks(step.count);
      return;
    case "deploy":
      world.deploy(step.tenant, step.infrastructures, {
        waitDuration: step.wait,
        clientToken: bytesOf(step.token),
        version: bytesOf(step.version),
        managers: [{ address: addressOf("mia"), limits: undefined }],
      });
      return;
    case "update": {
      const deployment = choose(records(world, tables.deployment, Deployment), step.pick);
      if (deployment === undefined) return;
      world.run(messages.updateDeployment, {
        sender: step.asTenant ? (deployment.id?.tenant ?? "") : addressOf(step.by),
        id: deployment.id,
        revision: step.late ? deployment.revision - 1n : deployment.revision,
        infrastructures: step.infrastructures,
        removedInfrastructures: step.removed.filter((name) => !step.infrastructures.some((one) => one.name === name)),
        waitDuration: step.wait === undefined ? undefined : { blocks: step.wait },
        manifest: step.version === undefined ? undefined : { version: bytesOf(step.version), entries: 1 },
        managers: undefined,
      });
      return;
    }
    case "cancel": {
      const deployment = choose(records(world, tables.deployment, Deployment), step.pick);
      if (deployment?.id === undefined) return;
      world.cancel(step.tenant, deployment.id);
      return;
    }
    case "bid": {
      const open = records(world, tables.order, Order).filter(({ state }) => state === OrderState.OPEN);
      const order = choose(open, step.pick);
      if (order !== undefined) world.bid(step.site, orderIdOf(order), step.price);
      return;
    }
    case "cancelBid": {
      const fulfillment = choose(records(world, tables.fulfillment, Fulfillment), step.pick);
      if (fulfillment === undefined) return;
      const { order, index } = fulfillmentIdOf(fulfillment);
      const by = sites.find((name) => addressOf(name) === fulfillment.datacenter) ?? "sierra";
      world.cancelBid(by, order, index);
      return;
    }
    case "bidAll":
      for (const order of records(world, tables.order, Order).filter(({ state }) => state === OrderState.OPEN))
        try {
          world.bid(step.site, orderIdOf(order));
        } catch (error) {
          if (!(error instanceof ExchangeError)) throw error;
        }
      return;
    case "confirmAll":
      for (const lease of records(world, tables.lease, Lease).filter(isActive)) {
        const by = sites.find((name) => addressOf(name) === lease.datacenter) ?? "sierra";
        world.confirm(by, orderIdOf(lease), step.version);
      }
      return;
    case "confirm":
    case "notice":
    case "closeLease": {
      const lease = choose(records(world, tables.lease, Lease).filter(isActive), step.pick);
      if (lease === undefined) return;
      const id: OrderId = orderIdOf(lease);
      const by = sites.find((name) => addressOf(name) === lease.datacenter) ?? "sierra";
      if (step.kind === "confirm") world.confirm(by, id, step.version);
      else if (step.kind === "notice") world.notice(by, id);
      else world.closeLease(step.sender, id, step.reopen ? "reopen" : "close");
      return;
    }
    case "transfer":
      world.transfer(step.from, step.to, step.amount);
  }
}

function isActive(lease: Lease): boolean {
  return lease.state === LeaseState.ACTIVE;
}

function newWorld(): World {
  return new World({
    accounts: { alice: 20_000n, bob: 400n, mia: 1_000n },
    datacenters: {
      sierra: { region: "us-west", balance: 5_000n },
      tidewater: { region: "us-east", balance: 5_000n },
      umbra: { region: "us-west", balance: 900n },
    },
    parameters: {
      maxFulfillmentsPerOrder: 2,
      exclusionPeriod: 8n,
      closedRetention: 20n,
      orderExpiry: 25n,
      handoverPeriod: 4n,
    },
  });
}

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

const histories = fc.array(action, { minLength: 20, maxLength: 120, size: "max" });

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
        kept.push(tables.account, tables.datacenter, tables.deploymentCounter);
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
      for (const lease of records(world, tables.lease, Lease)) reached.add(`lease ${lease.closeReason}`);
      for (const order of records(world, tables.order, Order)) reached.add(`order ${order.closeReason}`);
      for (const one of records(world, tables.fulfillment, Fulfillment)) reached.add(`fulfillment ${one.state}`);
    });
  }
  // Leases: all reasons but the orders' own. (The numbers are those of CloseReason and FulfillmentState.)
  for (const reason of [0, 1, 2, 3, 4, 6, 7, 8, 9, 10]) expect(reached).toContain(`lease ${reason}`);
  for (const reason of [0, 1, 2, 3, 5, 11, 12]) expect(reached).toContain(`order ${reason}`);
  for (const state of [1, 2, 3, 4, 5]) expect(reached).toContain(`fulfillment ${state}`);
});
