import { ExchangeErrorCode } from "@dcx/protocol";
import { addressOf } from "./testing/names";
import { operatorOf, Staking } from "./testing/stake";
import { refusal, World } from "./testing/world";
import { getTotals } from "./totals";

// Power is stake ÷ 10; three validators; unbonding takes 12 blocks. `World` checks every invariant after every block.

function exchange() {
  const world = new World({
    accounts: { vera: 1_000n, dora: 10_000n, nina: 5_000n, otto: 3_000n },
    validators: { adam: 1_000n, beth: 2_000n },
  });
  return { world, staking: new Staking(world) };
}

describe("the validator set", () => {
  test("is that of the genesis, by stake", () => {
    const { world, staking } = exchange();
    expect(staking.powers("adam", "beth")).toEqual([100n, 200n]);
    expect(getTotals(world.state)).toMatchObject({ staked: 3_000n, genesisSupply: 22_000n });
  });

  test("takes in who bonds, at the end of the block, and only as many as there may be", () => {
    const { world, staking } = exchange();
    staking.bond("vera", { amount: 500n });
    expect(staking.powers("vera")).toEqual([0n]);
    world.blocks();
    expect(staking.powers("vera")).toEqual([50n]);
    staking.bond("nina", { amount: 600n });
    world.blocks();
    expect(staking.powers("vera", "nina", "adam")).toEqual([0n, 60n, 100n]);
    // The earlier one of two that are equal.
    staking.delegate("dora", "vera", 100n);
    world.blocks();
    expect(staking.powers("vera", "nina")).toEqual([60n, 0n]);
  });

  test("follows what is delegated and taken back; stake that is taken back is locked for the unbonding period", () => {
    const { world, staking } = exchange();
    staking.delegate("dora", "adam", 4_000n);
    world.blocks();
    expect(staking.powers("adam")).toEqual([500n]);
    staking.undelegate("dora", "adam", 1_500n);
    expect(world.balance("dora")).toBe(6_000n);
    const since = world.height;
    world.until(since + 11n);
    expect(staking.powers("adam")).toEqual([350n]);
    expect([world.balance("dora"), getTotals(world.state).unbonding]).toEqual([6_000n, 1_500n]);
    world.until(since + 12n);
    expect([world.balance("dora"), getTotals(world.state).unbonding]).toEqual([7_500n, 0n]);
    expect(refusal(() => staking.undelegate("dora", "adam", 2_501n))).toBe(ExchangeErrorCode.InsufficientFunds);
  });

  test("is never empty: who leaves last stays in it", () => {
    const { world, staking } = exchange();
    staking.undelegate("adam", "adam", 1_000n);
    staking.undelegate("beth", "beth", 2_000n);
    world.blocks(20);
    expect(world.engineSet.size).toBe(2);
    staking.bond("vera", { amount: 500n });
    world.blocks();
    expect([...world.engineSet.values()]).toEqual([50n]);
    // Of those that left nothing remains.
    expect([staking.validator("adam"), staking.validator("beth")]).toEqual([undefined, undefined]);
  });

  test("has each key and each operator once", () => {
    const { staking } = exchange();
    expect(refusal(() => staking.bond("adam", { amount: 1n }))).toBe(ExchangeErrorCode.ValidatorExists);
    expect(refusal(() => staking.bond("vera", { amount: 1n, keyOf: "adam" }))).toBe(ExchangeErrorCode.ValidatorExists);
    expect(refusal(() => staking.bond("vera", { amount: 1n, least: 2n }))).toBe(ExchangeErrorCode.InvalidMessage);
    expect(refusal(() => staking.bond("vera", { amount: 1n, commission: 51n }))).toBe(ExchangeErrorCode.InvalidMessage);
    expect(refusal(() => staking.delegate("dora", "vera", 1n))).toBe(ExchangeErrorCode.ValidatorNotFound);
  });

  test("elects nobody where its parameter says so", () => {
    const world = new World({ accounts: { vera: 1_000n }, parameters: { maxValidators: 0 } });
    expect(refusal(() => new Staking(world).bond("vera", { amount: 10n }))).toBe(ExchangeErrorCode.NotOffered);
  });

  test("leaves out an operator that takes back what it promised to keep staked", () => {
    const { world, staking } = exchange();
    staking.bond("vera", { amount: 500n, least: 300n });
    staking.delegate("dora", "vera", 700n);
    world.blocks();
    staking.undelegate("vera", "vera", 250n);
    world.blocks();
    expect(staking.validator("vera")).toMatchObject({ power: 0n, jailed: true, tokens: 950n });
    expect(refusal(() => staking.unjail("vera"))).toBe(ExchangeErrorCode.NotReleased);
    staking.delegate("vera", "vera", 50n);
    staking.unjail("vera");
    world.blocks();
    expect(staking.powers("vera")).toEqual([100n]);
  });
});

describe("moving stake", () => {
  test("works at once, and not again before the unbonding period is over", () => {
    const { world, staking } = exchange();
    staking.delegate("dora", "adam", 1_000n);
    staking.redelegate("dora", "adam", "beth", 400n);
    const since = world.height;
    world.blocks();
    expect(staking.powers("adam", "beth")).toEqual([160n, 240n]);
    expect(refusal(() => staking.redelegate("dora", "beth", "adam", 400n))).toBe(ExchangeErrorCode.RedelegationPending);
    world.until(since + 12n);
    staking.redelegate("dora", "beth", "adam", 400n);
    world.blocks();
    expect(staking.powers("adam", "beth")).toEqual([200n, 200n]);
  });

  test("is bounded in number, as unbondings are", () => {
    const { world, staking } = exchange();
    staking.delegate("dora", "adam", 1_000n);
    for (let count = 0; count < 3; count += 1) staking.undelegate("dora", "adam", 1n);
    expect(refusal(() => staking.undelegate("dora", "adam", 1n))).toBe(ExchangeErrorCode.LimitExceeded);
    for (let count = 0; count < 3; count += 1) staking.redelegate("dora", "adam", "beth", 1n);
    expect(refusal(() => staking.redelegate("dora", "adam", "beth", 1n))).toBe(ExchangeErrorCode.LimitExceeded);
    world.blocks(12);
    staking.undelegate("dora", "adam", 1n);
  });
});

describe("fees", () => {
  test("go to validators by power, commission first, the rest to delegators by share", () => {
    const { world, staking } = exchange();
    staking.delegate("dora", "adam", 1_000n);
    world.blocks();
    // adam 200, beth 200.
    world.payFees("otto", 1_000n);
    world.blocks();
    // 500 each; of adam's 50 are its commission, 450 are shared by two equal stakes.
    expect([staking.rewards("adam", "adam"), staking.rewards("dora", "adam")]).toEqual([225n, 225n]);
    expect(staking.rewards("beth", "beth")).toBe(450n);
    staking.withdraw("dora", "adam");
    staking.withdrawCommission("adam");
    expect([world.balance("dora"), world.balance("adam")]).toEqual([9_225n, 50n]);
    world.blocks();
    staking.withdraw("dora", "adam");
    expect(world.balance("dora")).toBe(9_225n);
    expect(getTotals(world.state)).toMatchObject({ feePool: 500n, rewards: 225n });
  });

  test("are earned from when the stake is there to when it is taken back, whatever comes and goes beside it", () => {
    const { world, staking } = exchange();
    world.payFees("otto", 300n);
    world.blocks();
    staking.delegate("dora", "beth", 2_000n);
    expect(staking.rewards("dora", "beth")).toBe(0n);
    world.blocks();
    // adam 100, beth 400.
    world.payFees("otto", 500n);
    world.blocks();
    expect(staking.rewards("dora", "beth")).toBe(180n);
    staking.undelegate("dora", "beth", 2_000n);
    expect(world.balance("dora")).toBe(8_180n);
    expect(staking.rewards("beth", "beth")).toBe(180n + 180n);
  });

  test("are shared by the commission of their time", () => {
    const { world, staking } = exchange();
    world.blocks(5);
    world.payFees("otto", 300n);
    world.blocks();
    staking.edit("beth", 9n);
    world.payFees("otto", 300n);
    world.blocks();
    expect(staking.rewards("beth", "beth")).toBe(180n + 182n);
    expect(refusal(() => staking.edit("beth", 10n))).toBe(ExchangeErrorCode.LimitExceeded);
    world.blocks(5);
    expect(refusal(() => staking.edit("beth", 20n))).toBe(ExchangeErrorCode.InvalidMessage);
  });
});

describe("a validator that signs twice", () => {
  test("loses a tenth, with all who stand behind it, and never validates again", () => {
    const { world, staking } = exchange();
    staking.delegate("dora", "adam", 1_000n);
    world.blocks();
    const fault = world.height;
    world.blocks(2);
    staking.undelegate("dora", "adam", 400n);
    staking.redelegate("dora", "adam", "beth", 100n);
    world.blocks();
    world.signedTwice("adam", fault, 200n);
    world.blocks();
    // A tenth of 2,000: 40 of what is unbonding, 10 of what moved, 150 of the 1,500 that are left.
    expect(staking.validator("adam")).toMatchObject({ tokens: 1_350n, jailed: true, tombstoned: true });
    expect(staking.stake("dora", "beth")).toBe(90n);
    expect(getTotals(world.state)).toMatchObject({ burnt: 200n, unbonding: 360n });
    world.blocks();
    expect(staking.powers("adam")).toEqual([0n]);
    world.signedTwice("adam", fault, 200n);
    world.blocks(20);
    expect(getTotals(world.state).burnt).toBe(200n);
    expect(refusal(() => staking.unjail("adam"))).toBe(ExchangeErrorCode.NotReleased);
    expect(refusal(() => staking.bond("vera", { amount: 10n, keyOf: "adam" }))).toBe(ExchangeErrorCode.ValidatorExists);
    // Whoever trusted it gets back what is left.
    staking.undelegate("dora", "adam", staking.stake("dora", "adam"));
    world.blocks(13);
    expect(world.balance("dora")).toBe(10_000n - 1_000n + 360n + 450n);
  });

  test("is found after its stake moved on and was taken back from there", () => {
    const { world, staking } = exchange();
    staking.delegate("dora", "adam", 1_000n);
    world.blocks(4);
    const fault = world.height;
    staking.redelegate("dora", "adam", "beth", 1_000n);
    world.blocks();
    staking.undelegate("dora", "beth", 1_000n);
    world.signedTwice("adam", fault, 200n);
    world.blocks(13);
    expect(world.balance("dora")).toBe(9_900n);
  });

  test("does not take from stake that left before", () => {
    const { world, staking } = exchange();
    staking.delegate("dora", "adam", 1_000n);
    world.blocks(2);
    staking.undelegate("dora", "adam", 1_000n);
    world.blocks(6);
    world.signedTwice("adam", world.height, 100n);
    world.blocks(8);
    expect(world.balance("dora")).toBe(10_000n);
    expect(staking.validator("adam")?.tokens).toBe(900n);
  });
});

describe("a validator that is absent", () => {
  test("is slashed and jailed once it has missed more than half of a window, and comes back", () => {
    const { world, staking } = exchange();
    world.until(12n);
    for (let block = 0; block < 3; block += 1) {
      world.absent("adam");
      world.blocks();
    }
    expect(staking.validator("adam")).toMatchObject({ jailed: false, tokens: 1_000n });
    world.absent("adam");
    world.blocks();
    const since = world.height;
    expect(staking.validator("adam")).toMatchObject({ jailed: true, tokens: 990n, jailedUntil: since + 5n });
    world.blocks();
    expect(staking.powers("adam", "beth")).toEqual([0n, 200n]);
    // Votes of the blocks until the new set has effect.
    world.absent("adam");
    world.blocks();
    expect(refusal(() => staking.unjail("adam"))).toBe(ExchangeErrorCode.NotReleased);
    world.until(since + 5n);
    staking.unjail("adam");
    world.blocks();
    expect(staking.powers("adam")).toEqual([99n]);
    expect(getTotals(world.state).burnt).toBe(10n);
  });

  test("is forgiven what it missed in the window before", () => {
    const { world, staking } = exchange();
    world.until(14n);
    for (let block = 0; block < 6; block += 1) {
      world.absent("adam");
      world.blocks();
    }
    expect(staking.validator("adam")?.jailed).toBe(false);
  });

  test("stays where nobody else is left, jailed or not", () => {
    const { world, staking } = exchange();
    for (const name of ["adam", "beth"])
      for (let block = 0; block < 8; block += 1) {
        world.absent(name);
        world.blocks();
      }
    expect(staking.validator("beth")?.jailed).toBe(true);
    expect(world.engineSet.size).toBe(1);
  });
});

test("an operator signs as its account, and is named by its own kind of address", () => {
  const { staking } = exchange();
  expect(operatorOf("adam")).toMatch(/^dcxvaloper1/);
  staking.bond("vera", { amount: 10n });
  expect(staking.validator("vera")?.operator).toBe(addressOf("vera"));
});
