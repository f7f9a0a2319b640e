import { ConfirmationOutcome, LeaseState } from "@dcx/protocol";
import { EnvelopeErrorCode } from "../application/envelope-error";
import { orderOf, terms } from "../state/testing/world";
import { fee, Market, written } from "./testing/market";

/*
 * Mallory sends transfers to itself as fast as it is let. A block has room for six transactions, the mempool for 40, of
 * which a quarter is kept for confirmations. Each transaction costs 30 once a block takes it.
 */
const rounds = 6;

let market: Market;

beforeEach(() => {
  market = new Market(
    {
      accounts: { alice: 10_000n, bob: 1_000n, mallory: 20_000n },
      datacenters: { sierra: { region: "us-west" } },
      parameters: { blockMaxGas: 2_000_000n },
    },
    { transactions: 40, bytes: 1_000_000 },
  );
  market.note("at genesis");
});

afterEach(() => market.close());

/** Sends until the mempool takes no more; how many it took. */
function flood(): number {
  for (let taken = 0; ; taken += 1) {
    const { code } = market.transfer("mallory", "mallory", 1n);
    if (code === 0) continue;
    expect(code).toBe(EnvelopeErrorCode.MempoolFull);
    return taken;
  }
}

test("no lease goes stale: rent and interest are paid to the last unit, and the flood pays for its blocks", () => {
  const lease = orderOf(market.deploy("alice", [terms("west", { persist: true })]), "west");
  market.offerOn(lease, "sierra");
  market.blocks(2);
  market.note("leased");
  let sent = 0;
  for (let round = 0; round < rounds; round += 1) {
    for (let block = 0; block < 4; block += 1) {
      sent += flood();
      market.blocks();
    }
    sent += flood();
    // Bob finds it full, and pays nothing for that.
    expect(market.transfer("bob", "alice", 1n).code).toBe(EnvelopeErrorCode.MempoolFull);
    expect(market.confirm("sierra", lease)).toMatchObject({
      outcome: ConfirmationOutcome.CONFIRMED,
      rent: 50n,
      interest: 5n,
    });
  }
  expect(market.lease(lease)).toMatchObject({ state: LeaseState.ACTIVE });
  market.note("30 blocks later");
  // Six transactions a block, six of them confirmations.
  expect(fee * 180n).toBe(5_400n);
  while (market.mempool.size > 0) market.blocks();
  market.note("it is over");
  expect(sent).toBe(174 + 25);
  const late = market.transfer("bob", "alice", 1n);
  market.blocks();
  expect(late.outcome().code).toBe(0);
  market.note("bob's turn");
  expect(market.ledger).toBe(
    written(`
                            alice          bob      mallory       sierra   collateral     deposits         fees       minted
      at genesis            10000         1000        20000       100000            0            0            0            0
      leased                 9870         1000        20000        98970         1000          100           60            0
      30 blocks later        9570         1000        14780        99120         1000          100         5460           30
      it is over             9570         1000        14030        99120         1000          100         6210           30
      bob's turn             9571          969        14030        99120         1000          100         6240           30
    `),
  );
});
