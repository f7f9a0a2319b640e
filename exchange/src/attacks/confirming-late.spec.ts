import {
  CloseReason,
  ConfirmationOutcome,
  ExchangeErrorCode,
  LeaseState,
  type OrderId,
  OrderState,
} from "@dcx/protocol";
import { nextGeneration } from "../state/testing/world";
import { Market, written } from "./testing/market";

/*
 * A datacenter confirms at most 10 blocks after the last time, or after the match. Later its lease breaks: what it served
 * since is unpaid, and the collateral (1,000) goes to the tenant. Rent is 10 a block, interest 1. Each transaction costs 30.
 */
let market: Market;

beforeEach(() => {
  market = new Market({
    accounts: { alice: 10_000n },
    datacenters: { sierra: { region: "us-west", balance: 5_000n } },
    // One at a time, so that of two stale leases the second is found a block later.
    parameters: { facilitatorMaxTransactions: 1 },
  });
  market.note("at genesis");
});

afterEach(() => market.close());

/** Leases to alice whose last confirmation is of the block before the next. */
function leases(...names: string[]): OrderId[] {
  const orders = market.deployPersistent("alice", ...names);
  for (const order of orders) market.offerOn(order, "sierra");
  market.blocks(1 + names.length);
  const confirmations = orders.map((order) => market.confirmation("sierra", order));
  market.blocks();
  for (const { outcome } of confirmations)
    expect(outcome().response.results).toMatchObject([{ outcome: ConfirmationOutcome.CONFIRMED }]);
  return orders;
}

test("in the last block of the period: nothing is lost", () => {
  const [lease] = leases("west") as [OrderId];
  market.note("confirmed");
  market.blocks(9);
  expect(market.confirm("sierra", lease)).toMatchObject({ outcome: ConfirmationOutcome.CONFIRMED, rent: 100n });
  market.note("10 blocks later");
  expect(market.ledger).toBe(
    written(`
                            alice       sierra   collateral     deposits         fees       minted
      at genesis            10000         5000            0            0            0            0
      confirmed              9860         3951         1000          100           90            1
      10 blocks later        9760         4031         1000          100          120           11
    `),
  );
});

test("a block later: the lease has broken in the beginning of that block, and the next order keeps it out", () => {
  const [lease] = leases("west") as [OrderId];
  market.note("confirmed");
  market.blocks(10);
  expect(market.confirm("sierra", lease)).toEqual({
    outcome: ConfirmationOutcome.NOT_ACTIVE,
    rent: 0n,
    interest: 0n,
  });
  expect(market.lease(lease)).toMatchObject({
    state: LeaseState.BROKEN,
    closeReason: CloseReason.STALE,
    rentPaid: 10n,
  });
  const next = nextGeneration(lease);
  expect(market.order(next)).toMatchObject({ state: OrderState.OPEN });
  const again = market.offerOn(next, "sierra");
  market.blocks();
  expect(again.outcome().code).toBe(ExchangeErrorCode.Excluded);
  market.note("11 blocks later");
  expect(market.ledger).toBe(
    written(`
                            alice       sierra   collateral     deposits         fees       minted
      at genesis            10000         5000            0            0            0            0
      confirmed              9860         3951         1000          100           90            1
      11 blocks later       10960         3891            0            0          150            1
    `),
  );
});

test("where facilitators have so much to do that they come later still: it is refused all the same", () => {
  const [first, second] = leases("a", "b") as [OrderId, OrderId];
  market.note("confirmed");
  market.blocks(10);
  const confirmations = [market.confirmation("sierra", first), market.confirmation("sierra", second)];
  market.blocks();
  expect(confirmations.flatMap(({ outcome }) => outcome().response.results)).toEqual([
    { outcome: ConfirmationOutcome.NOT_ACTIVE, rent: 0n, interest: 0n },
    { outcome: ConfirmationOutcome.TOO_LATE, rent: 0n, interest: 0n },
  ]);
  expect(market.lease(second)).toMatchObject({ state: LeaseState.ACTIVE });
  market.note("11 blocks later");
  market.blocks();
  expect(market.lease(second)).toMatchObject({ state: LeaseState.BROKEN, closeReason: CloseReason.STALE });
  market.note("12 blocks later");
  // a was leased a block before b: 20 and 10 of rent, 2 and 1 of interest are paid.
  expect(market.ledger).toBe(
    written(`
                            alice       sierra   collateral     deposits         fees       minted
      at genesis            10000         5000            0            0            0            0
      confirmed              9740         2913         2000          200          150            3
      11 blocks later       10840         2853         1000          100          210            3
      12 blocks later       11940         2853            0            0          210            3
    `),
  );
});
