import { ExchangeErrorCode, ProposalStatus } from "@dcx/protocol";
import { queryProposals, queryVotes } from "./governance-queries";
import { defaultParameters } from "./parameters";
import { outcomeOf } from "./proposals";
import { queryDelegations, queryUnbondings, queryValidators } from "./stake-queries";
import { addressOf } from "./testing/names";
import { Staking, VoteOption } from "./testing/stake";
import { refusal, World } from "./testing/world";
import { getTotals } from "./totals";

const { VOTE_OPTION_YES: yes, VOTE_OPTION_NO: no } = VoteOption;
const veto = VoteOption.VOTE_OPTION_NO_WITH_VETO;
const page = undefined;

// A vote takes 6 blocks and a deposit of 100. adam has 1,000 staked, beth 2,000; dora 4,000 with adam.
function exchange() {
  const world = new World({
    accounts: { dora: 10_000n, nina: 5_000n },
    validators: { adam: 1_000n, beth: 2_000n },
  });
  const staking = new Staking(world);
  staking.delegate("dora", "adam", 4_000n);
  world.blocks();
  return { world, staking };
}

describe("a proposal", () => {
  test("that passes changes parameters at the end of its vote, and its deposit returns", () => {
    const { world, staking } = exchange();
    const id = staking.propose("nina", { maxValidators: "1", minimumGasPrice: '"77"' });
    expect(world.balance("nina")).toBe(4_900n);
    const until = world.height + 6n;
    staking.vote("adam", id, yes);
    staking.vote("beth", id, no);
    world.until(until);
    expect(world.parameters.maxValidators).toBe(3);
    world.blocks();
    expect(world.parameters).toMatchObject({ maxValidators: 1, minimumGasPrice: "77" });
    expect(staking.proposal(id)).toMatchObject({
      status: ProposalStatus.PASSED,
      // Who has not voted votes as the validator does.
      tally: { yes: 5_000n, no: 2_000n, abstain: 0n, veto: 0n },
    });
    expect(world.balance("nina")).toBe(5_000n);
    // What follows from it is there in the same block.
    expect(staking.powers("adam", "beth")).toEqual([500n, 0n]);
    expect(refusal(() => staking.vote("beth", id, yes))).toBe(ExchangeErrorCode.ProposalNotOpen);
    world.blocks(41);
    expect(staking.proposal(id)).toBeUndefined();
  });

  test("is voted on by delegators in place of their validator, the last word counting", () => {
    const { world, staking } = exchange();
    const id = staking.propose("nina", { maxValidators: "1" });
    staking.vote("adam", id, yes);
    staking.vote("dora", id, yes);
    staking.vote("dora", id, no);
    expect(queryProposals(world.state, 1n, { id, status: 0, page }).proposals[0]?.tally).toMatchObject({
      yes: 1_000n,
      no: 4_000n,
    });
    expect(queryVotes(world.state, 1n, { proposal: id, page }).votes).toHaveLength(2);
    world.blocks(7);
    expect(staking.proposal(id)?.status).toBe(ProposalStatus.REJECTED);
    expect(world.parameters.maxValidators).toBe(3);
    expect(world.balance("nina")).toBe(5_000n);
    expect(queryVotes(world.state, 1n, { proposal: id, page }).votes).toEqual([]);
  });

  test.each([
    ["is vetoed", (staking: Staking, id: bigint) => staking.vote("dora", id, veto)],
    ["finds no quorum", (staking: Staking, id: bigint) => staking.vote("beth", id, yes)],
  ])("that %s loses its deposit", (_how, act) => {
    const { world, staking } = exchange();
    const id = staking.propose("nina", { maxValidators: "1" });
    act(staking, id);
    world.blocks(7);
    expect(staking.proposal(id)?.status).toBe(ProposalStatus.REJECTED);
    expect(getTotals(world.state)).toMatchObject({ burnt: 100n, proposalDeposits: 0n });
    expect(world.balance("nina")).toBe(4_900n);
  });

  test("that no longer goes together with the others fails, and changes nothing", () => {
    const { world, staking } = exchange();
    const first = staking.propose("nina", { maxWaitDuration: "20" });
    const second = staking.propose("nina", { orderExpiry: "15" });
    for (const id of [first, second]) staking.vote("dora", id, yes);
    world.blocks(7);
    expect(staking.proposal(first)?.status).toBe(ProposalStatus.PASSED);
    expect(staking.proposal(second)).toMatchObject({
      status: ProposalStatus.FAILED,
      failure: expect.stringContaining("orderExpiry"),
    });
    expect(world.parameters).toMatchObject({ maxWaitDuration: 20n, orderExpiry: 50n });
    // Who follows the parameters is told by the vote that changed them alone.
    const told = world.events.filter(({ type }) => type === "dcx.exchange.v1.EventParametersChanged");
    expect(told.map(({ attributes }) => attributes)).toEqual([[{ key: "proposal", value: `"${first}"` }]]);
  });

  test.each([
    ["an unknown parameter", { colour: "1" }],
    ["a value that is no whole number", { maxValidators: "many" }],
    ["a value that no chain can run with", { reconfirmationPeriod: "0" }],
    ["an end of staking, which would lock all stake up", { maxValidators: "0" }],
    ["a value beyond its type", { maxValidators: "4294967297" }],
    ["nothing", {}],
  ])("of %s is refused at once", (_what, changes) => {
    const { staking } = exchange();
    expect(refusal(() => staking.propose("nina", changes))).toBe(ExchangeErrorCode.InvalidMessage);
  });

  test("takes a deposit and a stake to vote, and is there", () => {
    const { staking } = exchange();
    expect(refusal(() => staking.propose("nina", { maxValidators: "1" }, 99n))).toBe(
      ExchangeErrorCode.InsufficientFunds,
    );
    const id = staking.propose("nina", { maxValidators: "1" });
    expect(refusal(() => staking.vote("nina", id, yes))).toBe(ExchangeErrorCode.Unauthorized);
    expect(refusal(() => staking.vote("dora", id + 1n, yes))).toBe(ExchangeErrorCode.ProposalNotFound);
    expect(refusal(() => staking.vote("dora", id, VoteOption.VOTE_OPTION_UNSPECIFIED))).toBe(
      ExchangeErrorCode.InvalidMessage,
    );
  });

  test("is not to be had where its parameter says so", () => {
    const world = new World({ accounts: { nina: 1_000n }, parameters: { votingPeriod: 0n } });
    expect(refusal(() => new Staking(world).propose("nina", { maxValidators: "1" }))).toBe(
      ExchangeErrorCode.NotOffered,
    );
  });

  test("counts interest up to it by the old rate", () => {
    const { world, staking } = exchange();
    const before = world.parameters.collateralInterestRate;
    const id = staking.propose("nina", { collateralInterestRate: "0" });
    staking.vote("dora", id, yes);
    world.blocks(7);
    expect([before, world.parameters.collateralInterestRate]).toEqual(["1000000000000000", "0"]);
  });
});

describe("the outcome of a vote", () => {
  const parameters = { ...defaultParameters(), quorum: 400, threshold: 500, veto: 334 };
  const outcome = (tally: Partial<Record<"yes" | "no" | "abstain" | "veto", bigint>>) =>
    outcomeOf(parameters, { yes: 0n, no: 0n, abstain: 0n, veto: 0n, ...tally }, 1_000n);

  test.each([
    ["nobody voted", {}, { passes: false, burns: true }],
    ["just below the quorum", { yes: 399n }, { passes: false, burns: true }],
    ["at the quorum", { yes: 400n }, { passes: true, burns: false }],
    ["half is not more than half", { yes: 250n, no: 250n }, { passes: false, burns: false }],
    ["abstentions count for the quorum alone", { yes: 2n, no: 1n, abstain: 400n }, { passes: true, burns: false }],
    ["only abstentions", { abstain: 500n }, { passes: false, burns: false }],
    ["a third of vetoes", { yes: 666n, veto: 334n }, { passes: false, burns: true }],
  ])("%s", (_what, tally, expected) => {
    expect(outcome(tally)).toEqual(expected);
  });
});

test("stake can be looked at: validators, delegations with what they have earned, unbondings", () => {
  const { world, staking } = exchange();
  world.payFees("nina", 700n);
  world.blocks();
  const { validators } = queryValidators(world.state, world.height, { operator: "", page });
  expect(validators.map(({ validator, commission }) => [validator?.description?.moniker, commission]).sort()).toEqual([
    ["adam", 50n],
    ["beth", 20n],
  ]);
  const own = queryDelegations(world.state, 1n, { delegator: addressOf("dora"), validator: "", page });
  expect(own.delegations).toMatchObject([{ tokens: 4_000n, rewards: 360n }]);
  const all = queryDelegations(world.state, 1n, { delegator: "", validator: addressOf("adam"), page });
  expect(all.delegations).toHaveLength(2);
  staking.undelegate("dora", "adam", 5n);
  expect(queryUnbondings(world.state, 1n, { delegator: addressOf("dora"), page }).unbondings).toMatchObject([
    { balance: 5n, endHeight: world.height + 12n },
  ]);
  expect(refusal(() => queryDelegations(world.state, 1n, { delegator: "", validator: "", page }))).toBe(
    ExchangeErrorCode.InvalidMessage,
  );
});
