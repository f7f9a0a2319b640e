import { CloseReason, ExchangeErrorCode, LeaseState, ManagerLimits, OrderState } from "@dcx/protocol";
import { addressOf } from "../testing/names";
import { nextGeneration, refusal, terms, World } from "../testing/world";

function world(): World {
  return new World({
    accounts: { alice: 10_000n, mia: 1n },
    datacenters: { sierra: { region: "us-west" }, tidewater: { region: "us-east" } },
  });
}

describe("CloseLease", () => {
  test("settles the lease; persist alone reopens nothing", () => {
    const exchange = world();
    const lease = exchange.lease("alice", "sierra");
    exchange.blocks(3);
    exchange.closeLease("alice", lease);
    expect(exchange.leaseOf(lease)).toMatchObject({
      state: LeaseState.CLOSED,
      closeReason: CloseReason.TENANT,
      closedBy: addressOf("alice"),
      rentPaid: 30n,
    });
    expect(exchange.balance("sierra")).toBe(100_033n);
    expect(exchange.order(nextGeneration(lease))).toBeUndefined();
  });

  test("reopens an order that denies this datacenter; the terms stay as they are", () => {
    const exchange = world();
    const lease = exchange.lease("alice", "sierra");
    exchange.closeLease("alice", lease, "reopen");
    const order = nextGeneration(lease);
    expect(exchange.order(order)?.terms?.deniedDatacenters).toEqual([addressOf("sierra")]);
    expect(exchange.deployment(lease).infrastructures[0]?.terms?.deniedDatacenters).toEqual([]);
    expect(refusal(() => exchange.bid("sierra", order))).toBe(ExchangeErrorCode.TermsNotMet);
    exchange.bid("tidewater", order);
  });

  test("supersedes the order that was to replace it", () => {
    const exchange = world();
    const lease = exchange.lease("alice", "sierra");
    exchange.update("alice", lease, { infrastructures: [terms("west", { memory: 2048n })] });
    exchange.closeLease("alice", lease, "reopen");
    expect(exchange.order(nextGeneration(lease))).toMatchObject({
      state: OrderState.CLOSED,
      closeReason: CloseReason.SUPERSEDED,
    });
    expect(exchange.order(nextGeneration(lease, 2))).toMatchObject({ state: OrderState.OPEN, replacesGeneration: 0 });
  });

  test("of a lease with a successor lets that take its place, and opens no second", () => {
    const exchange = world();
    const lease = exchange.lease("alice", "sierra");
    exchange.update("alice", lease, { infrastructures: [terms("west", { memory: 2048n })] });
    const successor = nextGeneration(lease);
    exchange.bid("tidewater", successor);
    exchange.blocks();
    exchange.closeLease("alice", lease, "reopen");
    expect(exchange.leaseOf(successor)).toMatchObject({ state: LeaseState.ACTIVE, replacesGeneration: 0 });
    expect(exchange.order(nextGeneration(lease, 2))).toBeUndefined();
  });

  test("of a successor reopens an order to replace the lease that stays", () => {
    const exchange = world();
    const lease = exchange.lease("alice", "sierra");
    exchange.update("alice", lease, { infrastructures: [terms("west", { memory: 2048n })] });
    const successor = nextGeneration(lease);
    exchange.bid("tidewater", successor);
    exchange.blocks();
    exchange.closeLease("alice", successor, "reopen");
    expect(exchange.leaseOf(lease)?.state).toBe(LeaseState.ACTIVE);
    expect(exchange.order(nextGeneration(lease, 2))).toMatchObject({
      replacesGeneration: 1,
      terms: { deniedDatacenters: [addressOf("tidewater")] },
    });
  });

  test.each([
    ["in another region", { regions: ["us-east"] }],
    ["with another datacenter", { datacenters: [addressOf("tidewater")] }],
  ])("refuses a manager the lease %s than its limits name", (_what, places) => {
    const exchange = world();
    const lease = exchange.lease("alice", "sierra");
    const manage = (limits: Partial<ManagerLimits>) =>
      exchange.update("alice", lease, {
        managers: { managers: [{ address: addressOf("mia"), limits: ManagerLimits.fromPartial(limits) }] },
      });
    manage(places);
    expect(refusal(() => exchange.closeLease("mia", lease))).toBe(ExchangeErrorCode.ManagerLimit);
    manage({ regions: ["us-west"], datacenters: [addressOf("sierra")] });
    exchange.closeLease("mia", lease);
    expect(exchange.leaseOf(lease)).toMatchObject({ state: LeaseState.CLOSED, closedBy: addressOf("mia") });
  });

  test("refuses strangers, and what has ended", () => {
    const exchange = world();
    const lease = exchange.lease("alice", "sierra");
    expect(refusal(() => exchange.closeLease("mia", lease))).toBe(ExchangeErrorCode.Unauthorized);
    expect(refusal(() => exchange.closeLease("alice", nextGeneration(lease)))).toBe(ExchangeErrorCode.LeaseNotFound);
    exchange.closeLease("alice", lease);
    expect(refusal(() => exchange.closeLease("alice", lease))).toBe(ExchangeErrorCode.LeaseNotActive);
  });
});
