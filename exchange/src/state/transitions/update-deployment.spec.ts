import {
  CloseReason,
  ExchangeErrorCode,
  FulfillmentState,
  LeaseState,
  type ManagerLimits,
  OrderState,
} from "@dcx/protocol";
import { scale } from "../quantities";
import { addressOf, bytesOf } from "../testing/names";
import { nextGeneration, orderOf, refusal, terms, World } from "../testing/world";

function world(): World {
  return new World({
    accounts: { alice: 100_000n, mia: 10n },
    datacenters: {
      sierra: { region: "us-west", attributes: [{ key: "tier", value: "1" }] },
      tidewater: { region: "us-east" },
    },
  });
}

const west = terms("west", { persist: true });

describe("UpdateDeployment", () => {
  test("names the revision that it replaces, or is refused, saying who was faster", () => {
    const exchange = world();
    const id = exchange.deploy("alice", []);
    expect(exchange.update("alice", id, { revision: 1n })).toBe(2n);
    expect(refusal(() => exchange.update("alice", id, { revision: 1n }))).toBe(ExchangeErrorCode.RevisionMismatch);
    expect(() => exchange.update("alice", id, { revision: 1n })).toThrow(
      `revision 2, the update replaces 1: changed by ${addressOf("alice")} at block 1`,
    );
  });

  test("changes the version with its number of entries, and touches no infrastructure", () => {
    const exchange = world();
    const lease = exchange.lease("alice", "sierra");
    exchange.update("alice", lease, { manifest: { version: bytesOf("v2"), entries: 5 } });
    expect(exchange.deployment(lease)).toMatchObject({ version: bytesOf("v2"), manifestEntries: 5, revision: 2n });
    expect(exchange.order(nextGeneration(lease))).toBeUndefined();
  });

  describe("of a lease", () => {
    test.each([
      ["persist", terms("west", { persist: false })],
      ["a higher price", terms("west", { persist: true, price: 11n })],
      ["the region that it is in", terms("west", { persist: true, region: "us-west" })],
      ["an attribute that it has", terms("west", { persist: true, attributes: [{ key: "tier", value: "1" }] })],
      ["lists that admit its datacenter", terms("west", { allowed: ["sierra"], denied: ["tidewater"] })],
    ])("takes in place %s", (_what, after) => {
      const exchange = world();
      const lease = exchange.lease("alice", "sierra", west);
      exchange.update("alice", lease, { infrastructures: [after] });
      expect(exchange.leaseOf(lease)?.state).toBe(LeaseState.ACTIVE);
      expect(exchange.order(nextGeneration(lease))).toBeUndefined();
      expect(exchange.deployment(lease).infrastructures[0]?.terms).toEqual(after);
    });

    test("compares with the rate that it has, not with the price that was asked", () => {
      const exchange = world();
      const order = orderOf(exchange.deploy("alice", [west]), "west");
      exchange.bid("sierra", order, 6n);
      exchange.blocks();
      exchange.update("alice", order, { infrastructures: [terms("west", { price: 6n })] });
      expect(exchange.order(nextGeneration(order))).toBeUndefined();
      exchange.update("alice", order, { infrastructures: [terms("west", { price: 5n })] });
      expect(exchange.order(nextGeneration(order))).toMatchObject({ state: OrderState.OPEN, replacesGeneration: 1 });
    });

    test("compares with the attributes as frozen at the match", () => {
      const exchange = world();
      const lease = exchange.lease("alice", "sierra", west);
      const changed = terms("west", { attributes: [{ key: "tier", value: "2" }] });
      exchange.update("alice", lease, { infrastructures: [changed] });
      expect(exchange.order(nextGeneration(lease))).toMatchObject({ state: OrderState.OPEN, replacesGeneration: 1 });
    });

    test.each([
      ["memory", terms("west", { memory: 2048n })],
      ["count", terms("west", { count: 2 })],
      ["collateral", terms("west", { collateral: 5n })],
      ["another region", terms("west", { region: "us-east" })],
      ["a list that keeps its datacenter out", terms("west", { denied: ["sierra"] })],
    ])("opens an order that replaces it for %s; the lease goes on", (_what, after) => {
      const exchange = world();
      const lease = exchange.lease("alice", "sierra", west);
      exchange.update("alice", lease, { infrastructures: [after] });
      expect(exchange.leaseOf(lease)?.state).toBe(LeaseState.ACTIVE);
      expect(exchange.order(nextGeneration(lease))).toMatchObject({ state: OrderState.OPEN, replacesGeneration: 1 });
    });

    test("a further update closes the order that was to replace it, and going back opens none", () => {
      const exchange = world();
      const lease = exchange.lease("alice", "sierra", west);
      exchange.update("alice", lease, { infrastructures: [terms("west", { memory: 2048n })] });
      exchange.bid("tidewater", nextGeneration(lease));
      exchange.update("alice", lease, { infrastructures: [west] });
      expect(exchange.order(nextGeneration(lease))).toMatchObject({
        state: OrderState.CLOSED,
        closeReason: CloseReason.REPLACED,
      });
      expect(exchange.balance("tidewater")).toBe(100_000n);
      expect(exchange.order(nextGeneration(lease, 2))).toBeUndefined();
    });

    test("a further update closes the unconfirmed successor first", () => {
      const exchange = world();
      const lease = exchange.lease("alice", "sierra", west);
      exchange.update("alice", lease, { infrastructures: [terms("west", { memory: 2048n })] });
      exchange.bid("tidewater", nextGeneration(lease));
      exchange.blocks();
      exchange.update("alice", lease, { infrastructures: [terms("west", { memory: 4096n })] });
      expect(exchange.leaseOf(nextGeneration(lease))).toMatchObject({
        state: LeaseState.CLOSED,
        closeReason: CloseReason.REPLACED,
      });
      expect(exchange.order(nextGeneration(lease, 2))).toMatchObject({ state: OrderState.OPEN, replacesGeneration: 1 });
      expect(exchange.leaseOf(lease)?.state).toBe(LeaseState.ACTIVE);
    });

    test("naming it with the terms that it has leaves the successor alone; after a failed handover it tries again", () => {
      const exchange = world();
      const lease = exchange.lease("alice", "sierra", west);
      const larger = terms("west", { memory: 2048n });
      exchange.update("alice", lease, { infrastructures: [larger] });
      exchange.bid("tidewater", nextGeneration(lease));
      exchange.blocks();
      exchange.update("alice", lease, { infrastructures: [larger] });
      expect(exchange.leaseOf(nextGeneration(lease))?.state).toBe(LeaseState.ACTIVE);
      exchange.blocks(5);
      exchange.confirm("sierra", lease);
      exchange.blocks(4);
      expect(exchange.leaseOf(nextGeneration(lease))?.closeReason).toBe(CloseReason.HANDOVER_FAILED);
      exchange.update("alice", lease, { infrastructures: [larger] });
      expect(exchange.order(nextGeneration(lease, 2))).toMatchObject({ state: OrderState.OPEN, replacesGeneration: 1 });
    });

    test("that breaks meanwhile: the open order becomes the ordinary one, and no second opens", () => {
      const exchange = world();
      const lease = exchange.lease("alice", "sierra", west);
      exchange.update("alice", lease, { infrastructures: [terms("west", { memory: 2048n, persist: true })] });
      exchange.cancelBid("sierra", lease);
      expect(exchange.order(nextGeneration(lease))).toMatchObject({ state: OrderState.OPEN, replacesGeneration: 0 });
      expect(exchange.order(nextGeneration(lease, 2))).toBeUndefined();
    });

    test("that breaks meanwhile: the successor becomes the ordinary one", () => {
      const exchange = world();
      const lease = exchange.lease("alice", "sierra", west);
      exchange.update("alice", lease, { infrastructures: [terms("west", { memory: 2048n, persist: true })] });
      exchange.bid("tidewater", nextGeneration(lease));
      exchange.blocks();
      exchange.cancelBid("sierra", lease);
      expect(exchange.leaseOf(nextGeneration(lease))).toMatchObject({
        state: LeaseState.ACTIVE,
        replacesGeneration: 0,
      });
      exchange.blocks(9);
      expect(exchange.leaseOf(nextGeneration(lease))?.state).toBe(LeaseState.ACTIVE);
    });
  });

  describe("of an open order", () => {
    test("takes wait, persist and a higher price in place; bids stay", () => {
      const exchange = world();
      const order = orderOf(exchange.deploy("alice", [west]), "west");
      exchange.bid("sierra", order);
      exchange.update("alice", order, {
        infrastructures: [terms("west", { price: 20n })],
        waitDuration: { blocks: 4n },
      });
      expect(exchange.order(order)).toMatchObject({ state: OrderState.OPEN, dueHeight: 5n, fulfillmentCount: 1 });
      expect(exchange.order(order)?.terms).toEqual(terms("west", { price: 20n }));
      expect(exchange.blocks(3)).toEqual([]);
      expect(exchange.blocks()).toEqual(["SubmitLease"]);
    });

    test("closes it for any other change, returns the collateral, and opens the next generation", () => {
      const exchange = world();
      const order = orderOf(exchange.deploy("alice", [west]), "west");
      exchange.bid("sierra", order);
      exchange.update("alice", order, { infrastructures: [terms("west", { price: 9n })] });
      expect(exchange.order(order)).toMatchObject({ state: OrderState.CLOSED, closeReason: CloseReason.REPLACED });
      expect(exchange.fulfillment(order)).toMatchObject({ state: FulfillmentState.EXPIRED, collateral: 0n });
      expect(exchange.balance("sierra")).toBe(100_000n);
      expect(exchange.order(nextGeneration(order))).toMatchObject({ state: OrderState.OPEN, replacesGeneration: 0 });
    });
  });

  test("adds infrastructures, and gives one without lease or order a new order", () => {
    const exchange = world();
    const lease = exchange.lease("alice", "sierra", terms("west"));
    exchange.cancelBid("sierra", lease);
    exchange.update("alice", lease, { infrastructures: [terms("west"), terms("east")] });
    expect(exchange.order(nextGeneration(lease))?.state).toBe(OrderState.OPEN);
    expect(exchange.order(orderOf(lease, "east"))?.state).toBe(OrderState.OPEN);
  });

  test("closes a removed infrastructure at once, with its successor; added again it counts on", () => {
    const exchange = world();
    const lease = exchange.lease("alice", "sierra", west);
    exchange.update("alice", lease, { infrastructures: [terms("west", { memory: 2048n })] });
    exchange.bid("tidewater", nextGeneration(lease));
    exchange.blocks();
    exchange.update("alice", lease, { removedInfrastructures: ["west"] });
    for (const id of [lease, nextGeneration(lease)])
      expect(exchange.leaseOf(id)).toMatchObject({ state: LeaseState.CLOSED, closeReason: CloseReason.REMOVED });
    exchange.update("alice", lease, { infrastructures: [west] });
    expect(exchange.order(nextGeneration(lease, 2))?.state).toBe(OrderState.OPEN);
    expect(refusal(() => exchange.update("alice", lease, { removedInfrastructures: ["north"] }))).toBe(
      ExchangeErrorCode.InfrastructureNotFound,
    );
  });

  describe("by a manager", () => {
    const none: ManagerLimits = {
      maxRate: "",
      maxCount: 0,
      regions: [],
      datacenters: [],
      mayChangeVersion: false,
      endHeight: 0n,
    };
    function managed(limits: Partial<ManagerLimits>) {
      const exchange = world();
      const managers = [{ address: addressOf("mia"), limits: { ...none, ...limits } }];
      return { exchange, id: exchange.deploy("alice", [terms("west", { count: 2 })], { managers }) };
    }

    test("is recorded as whose terms they are", () => {
      const { exchange, id } = managed({});
      exchange.update("mia", id, { infrastructures: [terms("east")] });
      expect(exchange.deployment(id).infrastructures.map((one) => one.declaredBy)).toEqual([
        addressOf("mia"),
        addressOf("alice"),
      ]);
    });

    test("is held to limits over the whole deployment", () => {
      const rate = managed({ maxRate: (30n * scale).toString() });
      rate.exchange.update("mia", rate.id, { infrastructures: [terms("east", { price: 10n })] });
      const dearer = { infrastructures: [terms("east", { price: 11n })] };
      expect(refusal(() => rate.exchange.update("mia", rate.id, dearer))).toBe(ExchangeErrorCode.ManagerLimit);
      const count = managed({ maxCount: 3 });
      const two = { infrastructures: [terms("east", { count: 2 })] };
      expect(refusal(() => count.exchange.update("mia", count.id, two))).toBe(ExchangeErrorCode.ManagerLimit);
    });

    test("is held to the rent that a lease and its successor take together", () => {
      const replacing = { infrastructures: [terms("west", { count: 2, memory: 2048n })] };
      const leased = (rent: bigint) => {
        const { exchange, id } = managed({ maxRate: (rent * scale).toString() });
        exchange.bid("sierra", orderOf(id, "west"), 9n);
        exchange.blocks(2);
        return { exchange, id };
      };
      // Sierra's takes 2 × 9, its successor may take 2 × 10.
      const less = leased(37n);
      expect(refusal(() => less.exchange.update("mia", less.id, replacing))).toBe(ExchangeErrorCode.ManagerLimit);
      const enough = leased(38n);
      enough.exchange.update("mia", enough.id, replacing);
      // Meanwhile nothing else may cost anything. What changes in place replaces nothing.
      const more = { infrastructures: [terms("east", { price: 1n })] };
      expect(refusal(() => enough.exchange.update("mia", enough.id, more))).toBe(ExchangeErrorCode.ManagerLimit);
      less.exchange.update("mia", less.id, { infrastructures: [terms("west", { count: 2, price: 18n })] });
    });

    test.each([
      ["another region", { regions: ["us-east"] }, { infrastructures: [terms("east", { region: "us-west" })] }],
      ["any datacenter", { datacenters: [addressOf("sierra")] }, { infrastructures: [terms("east")] }],
      [
        "one of another region, moved into its own",
        { regions: ["us-east"] },
        { infrastructures: [terms("west", { count: 2, region: "us-east" })] },
      ],
      ["the version", {}, { manifest: { version: bytesOf("v2"), entries: 1 } }],
      ["removing the tenant's", {}, { removedInfrastructures: ["west"] }],
    ])("may not have %s", (_what, limits, patch) => {
      const { exchange, id } = managed(limits);
      expect(refusal(() => exchange.update("mia", id, patch))).toBe(ExchangeErrorCode.ManagerLimit);
    });

    test("does not come to declare what it changes, so it can't remove it by a second update either", () => {
      const { exchange, id } = managed({});
      const persist = terms("west", { count: 2, persist: true });
      exchange.update("mia", id, { infrastructures: [persist] });
      expect(exchange.deployment(id).infrastructures.map((one) => one.declaredBy)).toEqual([addressOf("alice")]);
      expect(refusal(() => exchange.update("mia", id, { removedInfrastructures: ["west"] }))).toBe(
        ExchangeErrorCode.ManagerLimit,
      );
    });

    test("ends with its time; and never sets managers", () => {
      const { exchange, id } = managed({ endHeight: 2n });
      exchange.blocks();
      expect(refusal(() => exchange.update("mia", id, { managers: { managers: [] } }))).toBe(
        ExchangeErrorCode.Unauthorized,
      );
      exchange.update("mia", id, {});
      exchange.blocks();
      expect(refusal(() => exchange.update("mia", id, {}))).toBe(ExchangeErrorCode.ManagerLimit);
    });
  });

  test("refuses strangers, and a cancelled deployment", () => {
    const exchange = world();
    const id = exchange.deploy("alice", []);
    expect(refusal(() => exchange.update("mia", id, {}))).toBe(ExchangeErrorCode.Unauthorized);
    exchange.cancel("alice", id);
    expect(refusal(() => exchange.update("alice", id, {}))).toBe(ExchangeErrorCode.DeploymentNotActive);
  });
});
