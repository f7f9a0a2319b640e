import { CloseReason, ExchangeErrorCode, LeaseState, type OrderId, OrderState } from "@dcx/protocol";
import { messages } from "../state/testing/messages";
import { addressOf } from "../state/testing/names";
import { nextGeneration, orderOf, terms } from "../state/testing/world";
import { Market, written } from "./testing/market";

/*
 * Mallory offers for next to nothing, wins, and walks away: the collateral (1,000) goes to the tenant each time, nothing
 * is paid for what it served since it last confirmed, and it may not offer on that infrastructure for the next 15 blocks.
 * Alice's infrastructure persists, so that the next order opens at once. Each transaction costs 30.
 */
let market: Market;
let order: OrderId;

beforeEach(() => {
  market = new Market({
    accounts: { alice: 10_000n },
    datacenters: {
      sierra: { region: "us-west", balance: 5_000n },
      mallory: { region: "us-west", balance: 5_000n },
    },
  });
  market.note("at genesis");
  order = orderOf(market.deploy("alice", [terms("west", { persist: true })]), "west");
});

afterEach(() => market.close());

function win(): void {
  market.offerOn(order, "mallory", 1n);
  market.blocks(2);
  expect(market.lease(order)).toMatchObject({ state: LeaseState.ACTIVE, datacenter: addressOf("mallory") });
}

function walkAway(): void {
  market.run(messages.cancelFulfillment, { datacenter: addressOf("mallory"), id: { order, index: 1 } });
  expect(market.lease(order)).toMatchObject({ state: LeaseState.BROKEN, closeReason: CloseReason.WITHDRAWN });
  order = nextGeneration(order);
  expect(market.order(order)).toMatchObject({ state: OrderState.OPEN });
}

test("again and again: each time costs it the collateral, and keeps it out for a while", () => {
  for (let time = 1; time <= 3; time += 1) {
    win();
    market.blocks(4);
    walkAway();
    market.note(`walked away ${time}`);
    const end = market.height - 1n + 15n;
    const refused = market.offerOn(order, "mallory", 1n);
    market.blocks();
    expect(refused.outcome().code).toBe(ExchangeErrorCode.Excluded);
    market.until(end);
    const still = market.offerOn(order, "mallory", 1n);
    market.blocks();
    expect(still.outcome().code).toBe(ExchangeErrorCode.Excluded);
  }
  // The fourth time it has not enough left: 5,000 less three collaterals, and 12 fees.
  expect(market.balance("mallory")).toBe(1_640n);
  market.transfer("mallory", "sierra", 700n);
  market.blocks();
  const poor = market.offerOn(order, "mallory", 1n);
  market.blocks();
  expect(poor.outcome().code).toBe(ExchangeErrorCode.InsufficientFunds);
  market.note("ruined");
  expect(market.ledger).toBe(
    written(`
                          alice       sierra      mallory   collateral     deposits         fees       minted
      at genesis          10000         5000         5000            0            0            0            0
      walked away 1       10970         5000         3940            0            0           90            0
      walked away 2       11970         5000         2820            0            0          210            0
      walked away 3       12970         5000         1700            0            0          330            0
      ruined              12970         5700          880            0            0          450            0
    `),
  );
});

test("after it has confirmed: it keeps what was paid up to then, the rest is the tenant's", () => {
  win();
  market.blocks(4);
  expect(market.confirm("mallory", order)).toMatchObject({ rent: 5n, interest: 5n });
  market.note("confirmed");
  market.blocks(4);
  walkAway();
  market.note("walked away");
  expect(market.ledger).toBe(
    written(`
                          alice       sierra      mallory   collateral     deposits         fees       minted
      at genesis          10000         5000         5000            0            0            0            0
      confirmed            9955         5000         3950         1000           10           90            5
      walked away         10965         5000         3920            0            0          120            5
    `),
  );
});

test("while another offers: the other has the next lease, on which mallory has no say", () => {
  win();
  walkAway();
  market.offerOn(order, "sierra");
  market.offerOn(order, "mallory", 1n);
  market.blocks(2);
  expect(market.lease(order)).toMatchObject({ state: LeaseState.ACTIVE, datacenter: addressOf("sierra") });
  market.blocks(6);
  expect(market.confirm("sierra", order)).toMatchObject({ rent: 70n, interest: 7n });
  market.note("sierra serves");
  expect(market.ledger).toBe(
    written(`
                            alice       sierra      mallory   collateral     deposits         fees       minted
      at genesis            10000         5000         5000            0            0            0            0
      sierra serves         10800         4017         3910         1000          100          180            7
    `),
  );
});

test("by notice instead: nobody loses collateral, and it is paid for as long as it serves", () => {
  win();
  const end = market.run(messages.giveNotice, { datacenter: addressOf("mallory"), lease: order }).response.endHeight;
  const successor = nextGeneration(order);
  market.offerOn(successor, "sierra");
  market.offerOn(successor, "mallory", 1n);
  market.until(end + 1n);
  expect(market.lease(order)).toMatchObject({ state: LeaseState.CLOSED, closeReason: CloseReason.NOTICE });
  expect(market.lease(successor)).toMatchObject({ state: LeaseState.ACTIVE, datacenter: addressOf("sierra") });
  market.note("notice is over");
  // Seven blocks at 1, and as much interest; sierra, who runs already, has a deposit of its own.
  expect(market.ledger).toBe(
    written(`
                             alice       sierra      mallory   collateral     deposits         fees       minted
      at genesis             10000         5000         5000            0            0            0            0
      notice is over          9863         3970         4924         1000          100          150            7
    `),
  );
});
