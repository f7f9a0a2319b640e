import { Proposal, ProposalStatus, Validator } from "@dcx/protocol";
import fc from "fast-check";
import { prefixEnd, tables } from "../keys";
import { addressOf } from "./names";
import { Staking, VoteOption } from "./stake";
import type { World } from "./world";

/** What may happen with stake in a random history. */
export const operators = ["adam", "beth", "cleo", "alice"];
export const delegators = ["alice", "bob", "mia", "adam", "beth"];

const operator = fc.constantFrom(...operators);
const delegator = fc.constantFrom(...delegators);
const amount = fc.constantFrom(1n, 7n, 50n, 400n);

export const stakeAction = fc.oneof(
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant("bond" as const),
      operator,
      amount,
      least: fc.constantFrom(1n, 30n),
      commission: fc.constantFrom(0n, 33n),
    }),
  },
  { weight: 5, arbitrary: fc.record({ kind: fc.constant("delegate" as const), delegator, operator, amount }) },
  { weight: 4, arbitrary: fc.record({ kind: fc.constant("undelegate" as const), delegator, operator, amount }) },
  {
    weight: 3,
    arbitrary: fc.record({ kind: fc.constant("redelegate" as const), delegator, from: operator, to: operator, amount }),
  },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant("withdraw" as const), delegator, operator }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant("withdrawCommission" as const), operator }) },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constant("editCommission" as const),
      operator,
      commission: fc.constantFrom(5n, 36n),
    }),
  },
  { weight: 4, arbitrary: fc.record({ kind: fc.constant("absent" as const), operator, count: fc.constantFrom(1, 5) }) },
  {
    weight: 1,
    arbitrary: fc.record({ kind: fc.constant("signTwice" as const), operator, ago: fc.constantFrom(1n, 9n) }),
  },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant("unjail" as const), operator }) },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant("propose" as const),
      delegator,
      changes: fc.constantFrom<Record<string, string>[]>(
        { maxValidators: "2" },
        { powerReduction: "25", maxValidators: "4" },
        { collateralInterestRate: "500000000000000", reconfirmationPeriod: "8" },
        { unbondingPeriod: "5", signingWindow: "9" },
        { maxValidators: "0" },
        // Each alone is well; both together are not.
        { maxWaitDuration: "20" },
        { orderExpiry: "15" },
      ),
    }),
  },
  {
    weight: 5,
    arbitrary: fc.record({
      kind: fc.constant("vote" as const),
      delegator,
      option: fc.constantFrom(
        VoteOption.VOTE_OPTION_YES,
        VoteOption.VOTE_OPTION_YES,
        VoteOption.VOTE_OPTION_NO_WITH_VETO,
      ),
    }),
  },
);
export type StakeAction = typeof stakeAction extends fc.Arbitrary<infer Value> ? Value : never;

/** Does one step with stake. @throws ExchangeError what the exchange refuses */
export function actWithStake(world: World, step: StakeAction): void {
  const staking = new Staking(world);
  switch (step.kind) {
    case "bond":
      staking.bond(step.operator, { ...step, amount: step.amount * 3n });
      return;
    case "delegate":
      staking.delegate(step.delegator, step.operator, step.amount);
      return;
    case "undelegate":
      staking.undelegate(step.delegator, step.operator, step.amount);
      return;
    case "redelegate":
      staking.redelegate(step.delegator, step.from, step.to, step.amount);
      return;
    case "withdraw":
      staking.withdraw(step.delegator, step.operator);
      return;
    case "withdrawCommission":
      staking.withdrawCommission(step.operator);
      return;
    case "editCommission":
      staking.edit(step.operator, step.commission);
      return;
    case "absent":
      for (let block = 0; block < step.count; block += 1) {
        world.absent(step.operator);
        world.blocks();
      }
      return;
    case "signTwice": {
      const { power = 0n } = staking.validator(step.operator) ?? {};
      const height = world.height > step.ago ? world.height - step.ago : 1n;
      world.signedTwice(step.operator, height, power);
      return;
    }
    case "propose":
      staking.propose(step.delegator, step.changes);
      return;
    case "vote": {
      const open = proposalsOf(world).filter(({ status }) => status === ProposalStatus.VOTING);
      for (const { id } of open) staking.vote(step.delegator, id, step.option);
      return;
    }
    case "unjail":
      staking.unjail(step.operator);
  }
}

/** Every proposal that there is. */
function proposalsOf(world: World): Proposal[] {
  return [...world.state.range(tables.proposal, prefixEnd(tables.proposal))].map(([, bytes]) => Proposal.decode(bytes));
}

/** Every validator that there is, by the name of its operator. */
export function validatorsOf(world: World): Map<string, Validator> {
  const names = new Map(operators.map((name) => [addressOf(name), name]));
  const all = [...world.state.range(tables.validator, prefixEnd(tables.validator))];
  return new Map(
    all.map(([, bytes]) => {
      const validator = Validator.decode(bytes);
      return [names.get(validator.operator) ?? validator.operator, validator];
    }),
  );
}
