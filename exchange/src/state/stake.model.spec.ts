import fc from "fast-check";
import { ExchangeError } from "./errors";
import { Staking } from "./testing/stake";
import { actWithStake, delegators, operators, stakeAction, validatorsOf } from "./testing/stake-history";
import { World } from "./testing/world";
import { getTotals } from "./totals";

// `World` checks every invariant after every block, and that the engine has the validator set of the state.

const step = fc.oneof(
  { weight: 8, arbitrary: stakeAction },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant("fees" as const), amount: fc.constantFrom(1n, 13n, 500n) }) },
  { weight: 4, arbitrary: fc.record({ kind: fc.constant("blocks" as const), count: fc.constantFrom(1, 3, 13) }) },
);
const histories = fc.array(step, { minLength: 20, maxLength: 150, size: "max" });
type Step = typeof step extends fc.Arbitrary<infer Value> ? Value : never;

function play(history: readonly Step[]): World {
  const world = new World({
    accounts: { alice: 5_000n, bob: 3_000n, mia: 1_000n, adam: 500n, beth: 10n, cleo: 4_000n },
    validators: { adam: 300n, beth: 500n },
  });
  for (const one of history)
    try {
      if (one.kind === "fees") world.payFees("alice", one.amount);
      else if (one.kind === "blocks") world.blocks(one.count);
      else actWithStake(world, one);
    } catch (error) {
      if (!(error instanceof ExchangeError)) throw error;
    }
  world.blocks();
  return world;
}

test("any history of stake, fees and faults keeps every invariant", () => {
  fc.assert(
    fc.property(histories, (history) => {
      play(history);
    }),
    { numRuns: 20 },
  );
});

test("all stake and all fees can be had again, but for what was burnt and what a division left over", () => {
  fc.assert(
    fc.property(histories, (history) => {
      const world = play(history);
      const staking = new Staking(world);
      // Out of the unbondings that there may be at a time.
      world.blocks(13);
      for (const name of validatorsOf(world).keys())
        for (const delegator of new Set([...delegators, ...operators])) {
          const stake = staking.stake(delegator, name);
          if (stake > 0n) staking.undelegate(delegator, name, stake);
        }
      // Of those that are still there: one that is barred, or with a stake that is worth less than a micro-unit.
      for (const name of validatorsOf(world).keys()) staking.withdrawCommission(name);
      world.blocks(14);
      const { staked, unbonding, rewards, balances, feePool, burnt, genesisSupply } = getTotals(world.state);
      expect({ unbonding, sum: balances + feePool + rewards + staked + burnt }).toEqual({
        unbonding: 0n,
        sum: genesisSupply,
      });
      expect(staked).toBeLessThan(10n);
      expect(rewards).toBeLessThan(100n);
    }),
    { numRuns: 10 },
  );
});
