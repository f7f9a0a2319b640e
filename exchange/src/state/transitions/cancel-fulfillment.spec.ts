import { ExchangeErrorCode, FulfillmentState, OrderState } from "@dcx/protocol";
import { nextGeneration, orderOf, refusal, terms, World } from "../testing/world";

function world(): World {
  return new World({
    accounts: { alice: 10_000n },
    datacenters: { sierra: { region: "us-west" }, tidewater: { region: "us-east" } },
  });
}

describe("CancelFulfillment", () => {
  test("of an open one returns the collateral; nothing is left to match", () => {
    const exchange = world();
    const order = orderOf(exchange.deploy("alice", [terms("west")]), "west");
    exchange.bid("sierra", order);
    exchange.cancelBid("sierra", order);
    expect(exchange.balance("sierra")).toBe(100_000n);
    expect(exchange.fulfillment(order)?.state).toBe(FulfillmentState.CANCELLED);
    expect(exchange.blocks()).toEqual([]);
    exchange.bid("sierra", order, 9n);
    expect(exchange.fulfillment(order, 2)?.state).toBe(FulfillmentState.OPEN);
  });

  test("of a successor's leaves the old lease, and with persist an order replaces it again", () => {
    const exchange = world();
    const lease = exchange.lease("alice", "sierra");
    exchange.update("alice", lease, { infrastructures: [terms("west", { memory: 2048n, persist: true })] });
    const successor = nextGeneration(lease);
    exchange.bid("tidewater", successor);
    exchange.blocks();
    exchange.cancelBid("tidewater", successor);
    expect(exchange.fulfillment(successor)?.state).toBe(FulfillmentState.CANCELLED);
    expect(exchange.order(nextGeneration(successor))).toMatchObject({ state: OrderState.OPEN, replacesGeneration: 1 });
  });

  test("refuses another's, and what is neither open nor leased", () => {
    const exchange = world();
    const order = orderOf(exchange.deploy("alice", [terms("west")]), "west");
    exchange.bid("sierra", order);
    expect(refusal(() => exchange.cancelBid("tidewater", order))).toBe(ExchangeErrorCode.Unauthorized);
    expect(refusal(() => exchange.cancelBid("sierra", order, 2))).toBe(ExchangeErrorCode.FulfillmentNotFound);
    exchange.cancelBid("sierra", order);
    expect(refusal(() => exchange.cancelBid("sierra", order))).toBe(ExchangeErrorCode.FulfillmentNotActive);
  });
});
