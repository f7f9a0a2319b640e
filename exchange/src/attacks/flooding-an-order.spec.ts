import { ExchangeErrorCode, FulfillmentState, LeaseState, type OrderId, OrderState } from "@dcx/protocol";
import { messages } from "../state/testing/messages";
import { addressOf } from "../state/testing/names";
import { orderOf, terms } from "../state/testing/world";
import { fee, Market, written } from "./testing/market";

/*
 * An order holds three offers here, each with a collateral of 1,000. Mallory runs datacenters only to keep others from an
 * order. Each transaction costs 30.
 */
const sybils = ["mallory 1", "mallory 2", "mallory 3"] as const;
let market: Market;
let order: OrderId;

beforeEach(() => {
  market = new Market({
    accounts: { alice: 10_000n },
    datacenters: {
      sierra: { region: "us-west", balance: 5_000n },
      ...Object.fromEntries(sybils.map((name) => [name, { region: "us-west", balance: 5_000n }])),
    },
    parameters: { closedRetention: 12n },
  });
  market.note("at genesis");
});

afterEach(() => market.close());

/** An order that waits that many blocks for offers. */
function openOrder(wait: bigint): void {
  const message = { waitDuration: wait, nonce: new Uint8Array(32), clientToken: new Uint8Array(32) };
  const id = market.run(messages.submitDeployment, {
    tenant: addressOf("alice"),
    infrastructures: [terms("west")],
    version: new Uint8Array(32),
    manifestEntries: 1,
    managers: [],
    ...message,
  }).response.id;
  if (id === undefined) throw new Error("no deployment");
  order = orderOf(id, "west");
}

test("with dear offers: a better one evicts the worst, and its collateral returns", () => {
  openOrder(4n);
  for (const name of sybils) market.offerOn(order, name, 10n);
  market.blocks();
  market.note("full of dear offers");
  // As dear does not do; cheaper does, and the latest of the dearest goes.
  const asDear = market.offerOn(order, "sierra", 10n);
  const cheaper = market.offerOn(order, "sierra", 9n);
  market.blocks();
  expect(asDear.outcome().code).toBe(ExchangeErrorCode.OrderFull);
  expect(cheaper.outcome().code).toBe(0);
  expect(market.fulfillment(order, 3)).toMatchObject({ state: FulfillmentState.LOST });
  market.note("sierra is cheaper");
  market.blocks(3);
  expect(market.lease(order)).toMatchObject({ state: LeaseState.ACTIVE, datacenter: addressOf("sierra") });
  market.note("matched");
  expect(market.ledger).toBe(
    written(`
                               alice       sierra    mallory 1    mallory 2    mallory 3   collateral     deposits         fees       minted
      at genesis               10000         5000         5000         5000         5000            0            0            0            0
      full of dear offers       9970         5000         3970         3970         3970         3000            0          120            0
      sierra is cheaper         9970         3940         3970         3970         4970         3000            0          180            0
      matched                   9880         3940         4970         4970         4970         1000           90          180            0
    `),
  );
});

test("with cheap offers that it takes back at the end: the order stays open for who offers then", () => {
  openOrder(4n);
  const honest = market.offerOn(order, "sierra", 9n);
  for (const name of sybils) market.offerOn(order, name, 1n);
  market.blocks();
  expect(honest.outcome().code).toBe(0);
  expect(market.fulfillment(order, 1)).toMatchObject({ state: FulfillmentState.LOST });
  market.note("sierra is evicted");
  for (const [index, name] of sybils.entries())
    market.offer(messages.cancelFulfillment, { datacenter: addressOf(name), id: { order, index: index + 2 } });
  market.blocks(4);
  expect(market.order(order)).toMatchObject({ state: OrderState.OPEN, fulfillmentCount: 0 });
  market.note("due, without an offer");
  market.offerOn(order, "sierra", 9n);
  market.blocks(2);
  expect(market.lease(order)).toMatchObject({ state: LeaseState.ACTIVE, datacenter: addressOf("sierra") });
  market.note("matched");
  expect(market.ledger).toBe(
    written(`
                                 alice       sierra    mallory 1    mallory 2    mallory 3   collateral     deposits         fees       minted
      at genesis                 10000         5000         5000         5000         5000            0            0            0            0
      sierra is evicted           9970         4970         3970         3970         3970         3000            0          150            0
      due, without an offer       9970         4970         4940         4940         4940            0            0          240            0
      matched                     9880         3940         4940         4940         4940         1000           90          270            0
    `),
  );
});

test("with cheap offers that it keeps: it has won, and serves or loses its collateral to the tenant", () => {
  openOrder(2n);
  for (const name of sybils) market.offerOn(order, name, 1n);
  market.blocks();
  market.note("full of cheap offers");
  market.blocks();
  expect(market.lease(order)).toMatchObject({ state: LeaseState.ACTIVE, datacenter: addressOf("mallory 1") });
  market.note("matched");
  market.blocks(11);
  expect(market.lease(order)).toMatchObject({ state: LeaseState.BROKEN });
  market.note("never confirmed");
  expect(market.ledger).toBe(
    written(`
                                alice       sierra    mallory 1    mallory 2    mallory 3   collateral     deposits         fees       minted
      at genesis                10000         5000         5000         5000         5000            0            0            0            0
      full of cheap offers       9970         5000         3970         3970         3970         3000            0          120            0
      matched                    9960         5000         3970         4970         4970         1000           10          120            0
      never confirmed           10970         5000         3970         4970         4970            0            0          120            0
    `),
  );
});

test("with one offer after the other: each costs its fees, one counts at a time, and all of them are forgotten", () => {
  openOrder(10n);
  for (let index = 1; index <= 4; index += 1) {
    const offered = market.offerOn(order, "mallory 1", 10n);
    const again = market.offerOn(order, "mallory 1", 9n);
    market.blocks();
    expect(offered.outcome().code).toBe(0);
    expect(again.outcome().code).toBe(ExchangeErrorCode.FulfillmentExists);
    market.run(messages.cancelFulfillment, { datacenter: addressOf("mallory 1"), id: { order, index } });
  }
  market.note("offered and cancelled");
  expect(fee * 12n).toBe(360n);
  market.run(messages.cancelDeployment, {
    tenant: addressOf("alice"),
    id: { tenant: order.tenant, sequence: order.sequence },
    incarnation: 1n,
  });
  expect(market.fulfillment(order, 4)).toMatchObject({ state: FulfillmentState.CANCELLED });
  market.blocks(12);
  expect(market.order(order)).toBeUndefined();
  expect([1, 2, 3, 4].map((index) => market.fulfillment(order, index))).toEqual(Array(4).fill(undefined));
  market.note("order closed");
  expect(market.ledger).toBe(
    written(`
                                 alice       sierra    mallory 1    mallory 2    mallory 3   collateral     deposits         fees       minted
      at genesis                 10000         5000         5000         5000         5000            0            0            0            0
      offered and cancelled       9970         5000         4640         5000         5000            0            0          390            0
      order closed                9940         5000         4640         5000         5000            0            0          420            0
    `),
  );
});
