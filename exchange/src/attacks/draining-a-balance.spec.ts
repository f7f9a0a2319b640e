import { CloseReason, ConfirmationOutcome, LeaseState, type OrderId, OrderState } from "@dcx/protocol";
import { EnvelopeErrorCode } from "../application/envelope-error";
import { nextGeneration } from "../state/testing/world";
import { fee, Market, written } from "./testing/market";

/*
 * Mallory deploys, and takes its tokens away before it is to pay. A lease's deposit holds the rent of a period (10 blocks
 * at 10 a block), taken before the lease begins: who serves is paid up to the block in which the tenant can't refill
 * it, and gets its collateral back. With `persist` nothing reopens. Each transaction costs 30.
 */
let market: Market;

beforeEach(() => {
  market = new Market({
    accounts: { mallory: 1_000n, bob: 1n },
    datacenters: { sierra: { region: "us-west" }, tidewater: { region: "us-east" } },
  });
  market.note("at genesis");
});

afterEach(() => market.close());

test("between order and match: the order closes as unfunded, the collateral returns", () => {
  const [id] = market.deployPersistent("mallory", "west") as [OrderId];
  market.offerOn(id, "sierra");
  market.transfer("mallory", "bob", 900n);
  market.blocks();
  market.note("offered and drained");
  market.blocks();
  expect(market.order(id)).toMatchObject({ state: OrderState.CLOSED, closeReason: CloseReason.UNFUNDED });
  expect(market.lease(id)).toBeUndefined();
  market.note("not matched");
  expect(market.ledger).toBe(
    written(`
                                  mallory          bob       sierra    tidewater   collateral     deposits         fees       minted
      at genesis                     1000            1       100000       100000            0            0            0            0
      offered and drained              40          901        98970       100000         1000            0           90            0
      not matched                      40          901        99970       100000            0            0           90            0
    `),
  );
});

test("after the match: who serves is paid up to the block in which it asks, and nothing reopens", () => {
  const [id] = market.deployPersistent("mallory", "west") as [OrderId];
  market.offerOn(id, "sierra");
  market.blocks(2);
  market.transfer("mallory", "bob", 800n);
  market.blocks();
  market.note("leased and drained");
  market.blocks(8);
  // Block 10 of the lease, the last of its period: all of the deposit is due. Interest is 1 a block.
  expect(market.confirm("sierra", id)).toEqual({
    outcome: ConfirmationOutcome.INSUFFICIENT_FUNDS,
    rent: 100n,
    interest: 10n,
  });
  expect(market.lease(id)).toMatchObject({
    state: LeaseState.CLOSED,
    closeReason: CloseReason.INSUFFICIENT_FUNDS,
  });
  market.blocks(3);
  expect(market.order(nextGeneration(id))).toBeUndefined();
  market.note("confirmed");
  expect(market.ledger).toBe(
    written(`
                                  mallory          bob       sierra    tidewater   collateral     deposits         fees       minted
      at genesis                     1000            1       100000       100000            0            0            0            0
      leased and drained               40          801        98970       100000         1000          100           90            0
      confirmed                        40          801       100050       100000            0            0          120           10
    `),
  );
});

test("with two leases and what one takes: in order of the block, one goes on, the other is paid and ends", () => {
  const [west, east] = market.deployPersistent("mallory", "west", "east") as [OrderId, OrderId];
  market.offerOn(west, "sierra");
  market.offerOn(east, "tidewater");
  market.blocks(2);
  // 1,000 less three fees and two deposits, and what is left: 50 of the 80 that both will ask for.
  market.transfer("mallory", "bob", 690n);
  market.blocks();
  market.note("leased and drained");
  market.blocks(2);
  const first = market.confirmation("tidewater", east);
  const second = market.confirmation("sierra", west);
  market.blocks();
  expect(first.outcome().response.results).toMatchObject([{ outcome: ConfirmationOutcome.CONFIRMED, rent: 40n }]);
  expect(second.outcome().response.results).toMatchObject([
    { outcome: ConfirmationOutcome.INSUFFICIENT_FUNDS, rent: 40n },
  ]);
  // What is left of the second's deposit returned to the tenant, and would pay for the first.
  expect(market.lease(east)).toMatchObject({ state: LeaseState.ACTIVE, deposit: 100n });
  expect(market.lease(west)).toMatchObject({ state: LeaseState.CLOSED });
  market.note("confirmed");
  expect(market.ledger).toBe(
    written(`
                                  mallory          bob       sierra    tidewater   collateral     deposits         fees       minted
      at genesis                     1000            1       100000       100000            0            0            0            0
      leased and drained               50          691        98970        98970         2000          200          120            0
      confirmed                        70          691        99984        98984         1000          100          180            8
    `),
  );
});

test("by fees as well: an empty account sends nothing more, and what it has leased is paid", () => {
  const [id] = market.deployPersistent("mallory", "west") as [OrderId];
  market.offerOn(id, "sierra");
  market.blocks(2);
  let sent = 0;
  for (let code = 0; code === 0; sent += 1) ({ code } = market.transfer("mallory", "bob", 0n));
  // 1,000 less the fee of the deployment and the deposit: room for 29 more fees. Amounts of 0 are refused, their fees kept.
  expect(sent).toBe(30);
  expect(market.transfer("mallory", "bob", 1n).code).toBe(EnvelopeErrorCode.InsufficientFunds);
  market.blocks();
  market.note("leased and drained");
  market.blocks(5);
  expect(market.confirm("sierra", id)).toMatchObject({ outcome: ConfirmationOutcome.INSUFFICIENT_FUNDS, rent: 70n });
  market.note("confirmed");
  expect(fee * 29n).toBe(870n);
  expect(market.ledger).toBe(
    written(`
                                  mallory          bob       sierra    tidewater   collateral     deposits         fees       minted
      at genesis                     1000            1       100000       100000            0            0            0            0
      leased and drained                0            1        98970       100000         1000          100          930            0
      confirmed                        30            1       100017       100000            0            0          960            7
    `),
  );
});
