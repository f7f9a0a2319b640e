import { ConfirmationOutcome, LeaseState, type OrderId } from "@dcx/protocol";
import { orderOf, terms } from "../state/testing/world";
import { fee, Market, written } from "./testing/market";

/*
 * Interest is a thousandth of the matched collateral a block, and never more than 1,000 a block over all leases. Mallory,
 * who is a datacenter, deploys to itself to get it: its rent goes from one pocket into the other, its collateral is
 * never at stake. What it gets is no more than anybody's collateral gets, it is bounded whatever it posts, and how it
 * splits the collateral, or how often it confirms, changes nothing. Each transaction costs 30.
 */
let market: Market;

beforeEach(() => {
  market = new Market({
    accounts: { alice: 10_000n },
    datacenters: { sierra: { region: "us-west" }, mallory: { region: "us-west", balance: 10_000_000n } },
    parameters: { maxInterestPerBlock: 1_000n },
  });
  market.note("at genesis");
});

afterEach(() => market.close());

/** Two blocks after the deployment's the lease is there. */
function lease(tenant: string, datacenter: string, collateral: bigint, price: bigint): OrderId {
  const order = orderOf(market.deploy(tenant, [terms("west", { collateral, price, allowed: [datacenter] })]), "west");
  market.offerOn(order, datacenter);
  market.blocks(2);
  expect(market.lease(order)).toMatchObject({ state: LeaseState.ACTIVE, startHeight: market.height - 1n });
  return order;
}

test("it gets what the collateral of an honest lease gets, and no more than the cap, of which others lose their share", () => {
  const honest = lease("alice", "sierra", 1_000n, 10n);
  market.note("sierra leases to alice");
  const own = lease("mallory", "mallory", 999_000n, 500n);
  market.note("mallory to itself");
  for (let period = 0; period < 3; period += 1) {
    market.blocks(6);
    const confirmations = [market.confirmation("sierra", honest), market.confirmation("mallory", own)];
    market.blocks();
    for (const { outcome } of confirmations)
      expect(outcome().response.results).toMatchObject([{ outcome: ConfirmationOutcome.CONFIRMED }]);
  }
  market.note("21 blocks later");
  // Sierra: for 24 blocks a rent of 10 and interest of 1. Over a million the 1,000 of a block are a thousandth still:
  // Mallory has 21 × 999, and paid for 5 transactions. Its rent of 500 a block is back where it came from.
  expect(market.ledger).toBe(
    written(`
                                    alice       sierra      mallory   collateral     deposits         fees       minted
      at genesis                    10000       100000     10000000            0            0            0            0
      sierra leases to alice         9870        98970     10000000         1000          100           60            0
      mallory to itself              9870        98970      8995940      1000000         5100          120            0
      21 blocks later                9630        99144      9016829      1000000         5100          300        21003
    `),
  );
});

test("more collateral than the cap is for gets no more interest", () => {
  const honest = lease("alice", "sierra", 1_000n, 10n);
  const own = lease("mallory", "mallory", 4_999_000n, 0n);
  market.note("both leased");
  market.blocks(6);
  const confirmations = [market.confirmation("sierra", honest), market.confirmation("mallory", own)];
  market.blocks();
  const results = confirmations.flatMap(({ outcome }) => outcome().response.results);
  // Over 5,000,000: a fifth of a thousandth for each. Sierra: 3 blocks alone, then 7 × 0.2.
  expect(results).toMatchObject([
    { rent: 100n, interest: 4n },
    { rent: 0n, interest: 6_998n },
  ]);
  market.note("7 blocks later");
  expect(market.ledger).toBe(
    written(`
                                    alice       sierra      mallory   collateral     deposits         fees       minted
      at genesis                    10000       100000     10000000            0            0            0            0
      both leased                    9870        98970      5000940      5000000          100          120            0
      7 blocks later                 9770        99044      5007908      5000000          100          180         7002
    `),
  );
});

test("many small leases get no more than one, and confirming each block no more than once a period", () => {
  const rent = 7n;
  const names = ["a", "b", "c", "d", "e", "f", "g"];
  const split = names.map((name) => terms(name, { collateral: 333n, price: rent, allowed: ["mallory"] }));
  const id = market.deploy("mallory", split);
  const leases = names.map((name) => orderOf(id, name));
  for (const one of leases) market.offerOn(one, "mallory");
  market.blocks(2);
  const transactions = 1 + names.length;
  for (let block = 0; block < 20; block += 1) for (const one of leases) market.confirmation("mallory", one);
  // All of them are in one block: the first of each lease pays, the others find nothing due.
  market.blocks();
  for (let block = 0; block < 8; block += 1) {
    for (const one of leases) market.confirmation("mallory", one);
    market.blocks();
  }
  market.note("9 blocks, 196 confirmations");
  // 7 × ⌊333 × 9 / 1000⌋ = 14, where one lease of 2,331 would have got ⌊2,331 × 9 / 1000⌋ = 20.
  const paid = fee * BigInt(transactions + 28 * names.length);
  expect(paid).toBe(6_120n);
  expect(market.minted).toBe(14n);
  expect(market.ledger).toBe(
    written(`
                                          alice       sierra      mallory   collateral     deposits         fees       minted
      at genesis                          10000       100000     10000000            0            0            0            0
      9 blocks, 196 confirmations         10000       100000      9991073         2331          490         6120           14
    `),
  );
});

test("letting the lease to itself go stale brings the collateral back to it, without the interest of that time", () => {
  const own = lease("mallory", "mallory", 999_000n, 500n);
  market.note("leased");
  market.blocks(11);
  expect(market.lease(own)).toMatchObject({ state: LeaseState.BROKEN });
  market.note("stale");
  expect(market.ledger).toBe(
    written(`
                                    alice       sierra      mallory   collateral     deposits         fees       minted
      at genesis                    10000       100000     10000000            0            0            0            0
      leased                        10000       100000      8995940       999000         5000           60            0
      stale                         10000       100000      9999940            0            0           60            0
    `),
  );
});
