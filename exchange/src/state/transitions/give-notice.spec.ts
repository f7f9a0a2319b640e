import { CloseReason, ExchangeErrorCode, LeaseState, OrderState } from "@dcx/protocol";
import { addressOf } from "../testing/names";
import { nextGeneration, refusal, terms, World } from "../testing/world";

function world(): World {
  return new World({
    accounts: { alice: 10_000n },
    datacenters: { sierra: { region: "us-west" }, tidewater: { region: "us-east" } },
  });
}

describe("GiveNotice", () => {
  test("opens a successor order that keeps this datacenter out", () => {
    const exchange = world();
    const lease = exchange.lease("alice", "sierra");
    exchange.notice("sierra", lease);
    const order = exchange.order(nextGeneration(lease));
    expect(order).toMatchObject({ replacesGeneration: 1, terms: { deniedDatacenters: [addressOf("sierra")] } });
  });

  test("without persist opens nothing; the lease closes at the end of the notice", () => {
    const exchange = world();
    const lease = exchange.lease("alice", "sierra", terms("west"));
    const end = exchange.notice("sierra", lease);
    exchange.until(end - 1n);
    expect(exchange.leaseOf(lease)?.state).toBe(LeaseState.ACTIVE);
    exchange.until(end);
    expect(exchange.leaseOf(lease)).toMatchObject({ state: LeaseState.CLOSED, closeReason: CloseReason.NOTICE });
    expect(exchange.order(nextGeneration(lease))).toBeUndefined();
  });

  test("with nobody to follow, the open order becomes the ordinary one at its end", () => {
    const exchange = world();
    const lease = exchange.lease("alice", "sierra");
    exchange.until(exchange.notice("sierra", lease));
    expect(exchange.order(nextGeneration(lease))).toMatchObject({ state: OrderState.OPEN, replacesGeneration: 0 });
    expect(exchange.order(nextGeneration(lease, 2))).toBeUndefined();
  });

  test("under notice no change of terms is in place", () => {
    const exchange = world();
    const lease = exchange.lease("alice", "sierra");
    exchange.notice("sierra", lease);
    exchange.update("alice", lease, { infrastructures: [terms("west", { persist: true, price: 9n })] });
    expect(exchange.order(nextGeneration(lease, 2))).toMatchObject({ state: OrderState.OPEN, replacesGeneration: 1 });
  });

  test("by a successor: when it has taken over it gets a successor of its own", () => {
    const exchange = world();
    const lease = exchange.lease("alice", "sierra");
    exchange.update("alice", lease, { infrastructures: [terms("west", { memory: 2048n, persist: true })] });
    const successor = nextGeneration(lease);
    exchange.bid("tidewater", successor);
    exchange.blocks();
    exchange.notice("tidewater", successor);
    expect(exchange.order(nextGeneration(successor))).toBeUndefined();
    exchange.confirm("tidewater", successor, "v1");
    expect(exchange.leaseOf(lease)?.closeReason).toBe(CloseReason.REPLACED);
    expect(exchange.order(nextGeneration(successor))).toMatchObject({ state: OrderState.OPEN, replacesGeneration: 2 });
  });

  test("is given once, by its datacenter, for an active lease", () => {
    const exchange = world();
    const lease = exchange.lease("alice", "sierra");
    expect(refusal(() => exchange.notice("tidewater", lease))).toBe(ExchangeErrorCode.Unauthorized);
    exchange.notice("sierra", lease);
    expect(refusal(() => exchange.notice("sierra", lease))).toBe(ExchangeErrorCode.NoticeGiven);
    exchange.closeLease("alice", lease);
    expect(refusal(() => exchange.notice("sierra", lease))).toBe(ExchangeErrorCode.LeaseNotActive);
  });
});
