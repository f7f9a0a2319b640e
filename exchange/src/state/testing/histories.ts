import { Deployment, Fulfillment, Lease, LeaseState, Order, type OrderId, OrderState } from "@dcx/protocol";
import fc from "fast-check";
import { ExchangeError } from "../errors";
import { prefixEnd, tables } from "../keys";
import { fulfillmentIdOf, orderIdOf } from "../records";
import type { WorldOptions } from "./genesis";
import { messages } from "./messages";
import { addressOf, bytesOf } from "./names";
import { actWithStake, stakeAction } from "./stake-history";
import { terms, World } from "./world";

/** Random histories of all messages by several tenants, managers and datacenters, with blocks in between. */
export const tenants = ["alice", "bob"];
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
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constant("grantFees" as const),
      from: sender,
      to: sender,
      limit: fc.constantFrom(undefined, 5n),
      revoke: fc.boolean(),
    }),
  },
  {
    weight: 14,
    arbitrary: stakeAction.map((step) => ({ kind: "stake" as const, step })),
  },
);
export type Action = typeof action extends fc.Arbitrary<infer Value> ? Value : never;

export function records<Value>(world: World, table: string, codec: { decode(bytes: Uint8Array): Value }): Value[] {
  return [...world.state.range(table, prefixEnd(table))].map(([, value]) => codec.decode(value));
}

function choose<Value>(values: readonly Value[], index: number): Value | undefined {
  return values.length === 0 ? undefined : values[index % values.length];
}

/** Does one step of a history. @throws ExchangeError what the exchange refuses */
export function act(world: World, step: Action): void {
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
    case "grantFees":
      if (step.revoke) world.revokeFees(step.from, step.to);
      else world.grantFees(step.from, step.to, step.limit);
      return;
    case "stake":
      actWithStake(world, step.step);
      return;
    case "transfer":
      world.transfer(step.from, step.to, step.amount);
  }
}

export function isActive(lease: Lease): boolean {
  return lease.state === LeaseState.ACTIVE;
}

/** Who takes part, and periods short enough to pass within a history. */
export const participants: WorldOptions = {
  accounts: { alice: 20_000n, bob: 400n, mia: 1_000n, adam: 500n, beth: 10n, cleo: 800n },
  validators: { adam: 300n, beth: 500n },
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
};

export function newWorld(): World {
  return new World(participants);
}

export const histories = fc.array(action, { minLength: 20, maxLength: 120, size: "max" });
