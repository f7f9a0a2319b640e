import { CloseReason, ConfirmationOutcome, LeaseState, type OrderId, OrderState } from "@dcx/protocol";
import fc from "fast-check";
import { bytesOf } from "./testing/names";
import { nextGeneration, terms, World } from "./testing/world";
import { getTotals } from "./totals";

/**
 * The money of all sides, step by step. Rent is 10 a block, the period 10 blocks, so a deposit is 100; collateral is
 * 1000, interest a thousandth a block, so 1 a block.
 */
function market(tenant = 10_000n): World {
  return new World({
    accounts: { alice: tenant },
    datacenters: { sierra: { region: "us-west" }, tidewater: { region: "us-east" } },
  });
}

function sides(world: World) {
  const { collateral, deposits, interestMinted } = getTotals(world.state);
  return {
    alice: world.balance("alice"),
    sierra: world.balance("sierra"),
    tidewater: world.balance("tidewater"),
    collateral,
    deposits,
    interestMinted,
  };
}

const start = {
  alice: 10_000n,
  sierra: 100_000n,
  tidewater: 100_000n,
  collateral: 0n,
  deposits: 0n,
  interestMinted: 0n,
};

describe("the money of a lease", () => {
  test("posts collateral at the offer, a deposit at the match, rent and interest at a confirmation", () => {
    const world = market();
    const lease = world.lease("alice", "sierra");
    expect(sides(world)).toEqual({ ...start, alice: 9_900n, sierra: 99_000n, collateral: 1_000n, deposits: 100n });
    world.blocks(4);
    expect(world.confirm("sierra", lease)).toMatchObject({
      outcome: ConfirmationOutcome.CONFIRMED,
      rent: 40n,
      interest: 4n,
    });
    expect(sides(world)).toEqual({
      ...start,
      alice: 9_860n,
      sierra: 99_044n,
      collateral: 1_000n,
      deposits: 100n,
      interestMinted: 4n,
    });
  });

  test("a cancellation pays up to its block, and returns collateral and the deposit's rest", () => {
    const world = market();
    const lease = world.lease("alice", "sierra");
    world.blocks(7);
    world.cancel("alice", lease);
    expect(sides(world)).toEqual({ ...start, alice: 9_930n, sierra: 100_077n, interestMinted: 7n });
    expect(world.leaseOf(lease)).toMatchObject({ state: LeaseState.CLOSED, closeReason: CloseReason.CANCELLED });
  });

  test("a stale lease: the tail is unpaid, collateral and deposit go to the tenant, an order opens with persist", () => {
    const world = market();
    const lease = world.lease("alice", "sierra");
    world.blocks(3);
    world.confirm("sierra", lease);
    expect(world.blocks(10)).toEqual([]);
    expect(world.leaseOf(lease)?.state).toBe(LeaseState.ACTIVE);
    expect(world.blocks(1)).toEqual(["SubmitStaleLease"]);
    expect(world.leaseOf(lease)).toMatchObject({ state: LeaseState.BROKEN, closeReason: CloseReason.STALE });
    expect(sides(world)).toEqual({ ...start, alice: 10_970n, sierra: 99_033n, interestMinted: 3n });
    expect(world.order(nextGeneration(lease))).toMatchObject({ state: OrderState.OPEN, replacesGeneration: 0 });
  });

  test("a withdrawal breaks the lease: the collateral goes to the tenant", () => {
    const world = market();
    const lease = world.lease("alice", "sierra", terms("west"));
    world.blocks(5);
    world.cancelBid("sierra", lease);
    expect(sides(world)).toEqual({ ...start, alice: 11_000n, sierra: 99_000n });
    expect(world.leaseOf(lease)).toMatchObject({ state: LeaseState.BROKEN, closeReason: CloseReason.WITHDRAWN });
    expect(world.order(nextGeneration(lease))).toBeUndefined();
  });

  test("a tenant who can't refill: the datacenter gets what is due and its collateral, nothing reopens", () => {
    const world = market(150n);
    const lease = world.lease("alice", "sierra");
    world.transfer("alice", "tidewater", 50n);
    world.blocks(6);
    expect(world.confirm("sierra", lease)).toMatchObject({
      outcome: ConfirmationOutcome.INSUFFICIENT_FUNDS,
      rent: 60n,
      interest: 6n,
    });
    expect(sides(world)).toEqual({
      ...start,
      alice: 40n,
      sierra: 100_066n,
      tidewater: 100_050n,
      interestMinted: 6n,
    });
    expect(world.leaseOf(lease)).toMatchObject({
      state: LeaseState.CLOSED,
      closeReason: CloseReason.INSUFFICIENT_FUNDS,
    });
    expect(world.order(nextGeneration(lease))).toBeUndefined();
  });

  test("a tenant who can't pay the deposit: the order closes as unfunded, the collateral returns", () => {
    const world = market(99n);
    const order = world.lease("alice", "sierra");
    expect(world.order(order)).toMatchObject({ state: OrderState.CLOSED, closeReason: CloseReason.UNFUNDED });
    expect(world.leaseOf(order)).toBeUndefined();
    expect(sides(world)).toEqual({ ...start, alice: 99n });
  });

  test("notice: the lease goes on, then closes and returns the collateral; a successor has taken over", () => {
    const world = market();
    const lease = world.lease("alice", "sierra");
    expect(world.notice("sierra", lease)).toBe(world.height + 6n);
    const successor = nextGeneration(lease);
    expect(world.order(successor)).toMatchObject({ state: OrderState.OPEN, replacesGeneration: 1 });
    world.bid("tidewater", successor, 7n);
    world.blocks(2);
    expect(sides(world)).toEqual({
      ...start,
      alice: 9_830n,
      sierra: 99_000n,
      tidewater: 99_000n,
      collateral: 2_000n,
      deposits: 170n,
    });
    world.blocks(4);
    // Sierra served 6 blocks. Tidewater, matched a block after the notice, is the ordinary lease now.
    expect(world.leaseOf(lease)).toMatchObject({ state: LeaseState.CLOSED, closeReason: CloseReason.NOTICE });
    expect(world.leaseOf(successor)).toMatchObject({ state: LeaseState.ACTIVE, replacesGeneration: 0 });
    expect(sides(world)).toMatchObject({ alice: 9_870n, sierra: 100_066n, collateral: 1_000n, deposits: 70n });
  });

  test("a replacement that serves: the old lease settles when its successor confirms the version", () => {
    const world = market();
    const lease = world.lease("alice", "sierra");
    world.update("alice", lease, { infrastructures: [terms("west", { persist: true, memory: 2048n, price: 12n })] });
    const successor = nextGeneration(lease);
    world.bid("tidewater", successor);
    world.blocks();
    world.confirm("tidewater", successor, "another version");
    expect(world.leaseOf(lease)?.state).toBe(LeaseState.ACTIVE);
    world.blocks(3);
    world.confirm("tidewater", successor, "v1");
    expect(world.leaseOf(lease)).toMatchObject({
      state: LeaseState.CLOSED,
      closeReason: CloseReason.REPLACED,
      rentPaid: 40n,
    });
    expect(world.leaseOf(successor)).toMatchObject({
      state: LeaseState.ACTIVE,
      replacesGeneration: 0,
      handoverDeadline: 0n,
      rentPaid: 36n,
    });
    // Rent: 4 blocks at 10 and 3 at 12; interest: 1 a block for each collateral.
    expect(sides(world)).toEqual({
      alice: 10_000n - 40n - 36n - 120n,
      sierra: 100_044n,
      tidewater: 99_039n,
      collateral: 1_000n,
      deposits: 120n,
      interestMinted: 7n,
    });
  });

  test("a replacement that fails: the successor is paid and closes, the old lease and its terms stay", () => {
    const world = market();
    const lease = world.lease("alice", "sierra");
    world.update("alice", lease, { infrastructures: [terms("west", { persist: true, memory: 2048n })] });
    const successor = nextGeneration(lease);
    world.bid("tidewater", successor);
    world.blocks(5);
    world.confirm("sierra", lease, "v1");
    world.until((world.leaseOf(successor)?.handoverDeadline ?? 0n) + 1n);
    expect(world.leaseOf(successor)).toMatchObject({
      state: LeaseState.CLOSED,
      closeReason: CloseReason.HANDOVER_FAILED,
      rentPaid: 90n,
    });
    expect(world.leaseOf(lease)?.state).toBe(LeaseState.ACTIVE);
    expect(sides(world)).toEqual({
      alice: 10_000n - 50n - 90n - 100n,
      sierra: 99_055n,
      tidewater: 100_099n,
      collateral: 1_000n,
      deposits: 100n,
      interestMinted: 14n,
    });
    world.blocks(5);
    expect(world.order(nextGeneration(successor))).toBeUndefined();
  });
});

describe("interest", () => {
  test("does not depend on how often one confirms", () => {
    const often = market();
    const seldom = market();
    // A price and a collateral that never come out even.
    const odd = terms("west", { price: 3n, collateral: 777n, count: 7 });
    const first = often.lease("alice", "sierra", odd);
    const second = seldom.lease("alice", "sierra", odd);
    for (let block = 1; block <= 40; block += 1) {
      often.blocks();
      seldom.blocks();
      often.confirm("sierra", first);
      if (block % 10 === 0) seldom.confirm("sierra", second);
    }
    expect(sides(often)).toEqual(sides(seldom));
  });

  test("and rent do not depend on it either while other leases come and go", () => {
    const block = fc.record({ confirm: fc.boolean(), other: fc.boolean() });
    const odd = fc.record({
      price: fc.bigInt({ min: 0n, max: 50n }),
      count: fc.integer({ min: 1, max: 9 }),
      collateral: fc.bigInt({ min: 0n, max: 5_000n }),
    });
    fc.assert(
      fc.property(odd, fc.array(block, { minLength: 10, maxLength: 40 }), (offer, blocks) => {
        const outcome = [0, 1].map((cadence) => {
          const world = new World({
            parameters: { maxInterestPerBlock: 3n, collateralInterestRate: "1234567890123456" },
            accounts: { alice: 1_000_000n, bob: 1_000_000n },
            datacenters: { sierra: { region: "us-west" }, tidewater: { region: "us-east" } },
          });
          const lease = world.lease("alice", "sierra", terms("west", offer));
          let other: OrderId | undefined;
          for (const [index, step] of blocks.entries()) {
            world.blocks();
            if (step.other && other === undefined) {
              const id = world.deploy("bob", [terms("b")], { clientToken: bytesOf(`${index}`) });
              other = { ...id, infrastructure: "b", generation: 1 };
              world.bid("tidewater", other);
            } else if (step.other && other !== undefined) {
              world.cancel("bob", other);
              other = undefined;
            } else if (other !== undefined) world.confirm("tidewater", other);
            if (cadence === 0 ? step.confirm || index % 10 === 9 : index % 10 === 9) world.confirm("sierra", lease);
          }
          world.confirm("sierra", lease);
          const { rentPaid, interestPaid, deposit } = world.leaseOf(lease) ?? {};
          return { rentPaid, interestPaid, deposit, alice: world.balance("alice"), sierra: world.balance("sierra") };
        });
        expect(outcome[1]).toEqual(outcome[0]);
      }),
      { numRuns: 25 },
    );
  });

  test("is capped for a block by max-interest-per-block over all matched collateral", () => {
    const world = new World({
      parameters: { maxInterestPerBlock: 3n },
      accounts: { alice: 10_000n },
      datacenters: { sierra: { region: "us-west" }, tidewater: { region: "us-east" } },
    });
    const first = world.lease("alice", "sierra", terms("a", { collateral: 4_000n }));
    // For one block, the first alone: 3 of 4 would be too much. Then 3 over both: 2 and 1.
    const second = world.lease("alice", "tidewater", terms("b", { collateral: 2_000n }));
    world.blocks(9);
    expect(world.confirm("sierra", first).interest).toBe(3n + 18n);
    expect(world.confirm("tidewater", second).interest).toBe(9n);
    expect(getTotals(world.state).interestMinted).toBe(30n);
  });
});
