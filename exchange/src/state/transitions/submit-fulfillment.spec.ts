import { ExchangeErrorCode, FulfillmentState } from "@dcx/protocol";
import { scale } from "../quantities";
import { messages } from "../testing/messages";
import { addressOf } from "../testing/names";
import { nextGeneration, orderOf, refusal, terms, World } from "../testing/world";

function world(): World {
  return new World({
    accounts: { alice: 10_000n },
    datacenters: {
      sierra: { region: "us-west", attributes: [{ key: "tier", value: "1" }] },
      tidewater: { region: "us-east" },
      umbra: { region: "us-west" },
      vega: { region: "us-west" },
      poor: { region: "us-west", balance: 10n },
    },
  });
}

describe("SubmitFulfillment", () => {
  test("posts the sum of the groups' collateral: a group's is its total, however many units", () => {
    const exchange = world();
    const order = orderOf(exchange.deploy("alice", [terms("west", { count: 3, collateral: 500n })]), "west");
    exchange.bid("sierra", order, 4n);
    expect(exchange.fulfillment(order)).toMatchObject({
      state: FulfillmentState.OPEN,
      collateral: 500n,
      rate: (12n * scale).toString(),
    });
    expect(exchange.balance("sierra")).toBe(99_500n);
  });

  test.each([
    ["region", terms("west", { region: "us-north" })],
    ["attributes", terms("west", { attributes: [{ key: "tier", value: "2" }] })],
    ["allowed list", terms("west", { allowed: ["tidewater"] })],
    ["denied list", terms("west", { denied: ["sierra"] })],
  ])("refuses a datacenter that does not meet the order's %s", (_what, asked) => {
    const exchange = world();
    const order = orderOf(exchange.deploy("alice", [asked]), "west");
    expect(refusal(() => exchange.bid("sierra", order))).toBe(ExchangeErrorCode.TermsNotMet);
  });

  test("refuses an offer that differs, or asks more", () => {
    const exchange = world();
    const order = orderOf(exchange.deploy("alice", [terms("west")]), "west");
    expect(refusal(() => exchange.bid("sierra", order, 11n))).toBe(ExchangeErrorCode.OfferMismatch);
    for (const offer of [
      terms("west", { count: 2 }),
      terms("west", { collateral: 1n }),
      terms("west", { memory: 1n }),
    ]) {
      const message = { datacenter: addressOf("sierra"), order, resources: offer.resources };
      expect(refusal(() => exchange.run(messages.submitFulfillment, message))).toBe(ExchangeErrorCode.OfferMismatch);
    }
  });

  test("refuses who is no datacenter, can't post the collateral, or has offered already", () => {
    const exchange = world();
    const order = orderOf(exchange.deploy("alice", [terms("west")]), "west");
    expect(refusal(() => exchange.bid("alice", order))).toBe(ExchangeErrorCode.DatacenterNotFound);
    expect(refusal(() => exchange.bid("poor", order))).toBe(ExchangeErrorCode.InsufficientFunds);
    exchange.bid("sierra", order);
    expect(refusal(() => exchange.bid("sierra", order, 1n))).toBe(ExchangeErrorCode.FulfillmentExists);
    exchange.blocks();
    expect(refusal(() => exchange.bid("umbra", order))).toBe(ExchangeErrorCode.OrderNotOpen);
  });

  test("a full order takes only a better one, which evicts the latest of the dearest", () => {
    const exchange = world();
    const order = orderOf(exchange.deploy("alice", [terms("west")], { waitDuration: 5n }), "west");
    exchange.bid("sierra", order, 3n);
    exchange.bid("umbra", order, 8n);
    exchange.bid("tidewater", order, 8n);
    expect(refusal(() => exchange.bid("vega", order, 8n))).toBe(ExchangeErrorCode.OrderFull);
    exchange.bid("vega", order, 7n);
    expect(exchange.fulfillment(order, 3)).toMatchObject({ state: FulfillmentState.LOST, collateral: 0n });
    expect(exchange.balance("tidewater")).toBe(100_000n);
    expect(exchange.order(order)).toMatchObject({ fulfillmentCount: 3, lastFulfillmentIndex: 4 });
  });

  test("excludes who broke a lease of this infrastructure, up to the end of the exclusion period", () => {
    const exchange = world();
    const lease = exchange.lease("alice", "sierra");
    exchange.cancelBid("sierra", lease);
    const order = nextGeneration(lease);
    expect(refusal(() => exchange.bid("sierra", order))).toBe(ExchangeErrorCode.Excluded);
    exchange.blocks(15);
    expect(refusal(() => exchange.bid("sierra", order))).toBe(ExchangeErrorCode.Excluded);
    exchange.blocks();
    exchange.bid("sierra", order);
  });
});
