import { toBech32 } from "@cosmjs/encoding";
import {
  type DistributionExtension,
  type GovExtension,
  QueryClient,
  type StakingExtension,
  setupDistributionExtension,
  setupGovExtension,
  setupSlashingExtension,
  setupStakingExtension,
} from "@cosmjs/stargate";
import type { Comet38Client } from "@cosmjs/tendermint-rpc";
import { consensusAddressOf } from "../consensus-key";
import { addressOf, consensusKeyOf } from "../state/testing/names";
import { operatorOf, Staking, VoteOption } from "../state/testing/stake";
import { World } from "../state/testing/world";
import { cosmosQueries } from "./cosmos-queries";

/** cosmjs's own query client, asking a state in memory. */
function clientOf(
  world: World,
): QueryClient & StakingExtension & DistributionExtension & GovExtension & ReturnType<typeof setupSlashingExtension> {
  const comet: Pick<Comet38Client, "abciQuery"> = {
    abciQuery: async ({ path, data }) => {
      const answer = { index: 0, info: "", key: new Uint8Array(), height: Number(world.height) };
      try {
        const value = cosmosQueries[path]?.(world.state, data, world.height);
        if (value === undefined) throw new Error(`no query ${path}`);
        return { ...answer, code: 0, codespace: "", log: "", value };
      } catch (error) {
        const log = error instanceof Error ? error.message : String(error);
        return { ...answer, code: 22, codespace: "sdk", log, value: new Uint8Array() };
      }
    },
  };
  return QueryClient.withExtensions(
    comet as Comet38Client,
    setupStakingExtension,
    setupDistributionExtension,
    setupGovExtension,
    setupSlashingExtension,
  );
}

function exchange() {
  const world = new World({
    accounts: { dora: 10_000n, nina: 5_000n, vera: 100n },
    validators: { adam: 1_000n, beth: 2_000n },
  });
  const staking = new Staking(world);
  staking.delegate("dora", "adam", 1_000n);
  world.blocks();
  world.payFees("nina", 1_000n);
  world.blocks();
  return { world, staking, client: clientOf(world) };
}

test("cosmjs reads validators and what is staked with them", async () => {
  const { staking, client } = exchange();
  staking.bond("vera", { amount: 9n });
  const { validators } = await client.staking.validators("BOND_STATUS_BONDED");
  expect(validators.map(({ description, tokens }) => [description.moniker, tokens]).sort()).toEqual([
    ["adam", "2000"],
    ["beth", "2000"],
  ]);
  expect((await client.staking.validators("BOND_STATUS_UNBONDED")).validators).toHaveLength(1);
  const { validator } = await client.staking.validator(operatorOf("adam"));
  expect(validator).toMatchObject({
    operatorAddress: operatorOf("adam"),
    commission: { commissionRates: { rate: "100000000000000000" } },
  });
  await expect(client.staking.validator(operatorOf("nina"))).rejects.toThrow("NotFound");
  expect((await client.staking.delegation(addressOf("dora"), operatorOf("adam"))).delegationResponse).toMatchObject({
    balance: { denom: "udcx", amount: "1000" },
    delegation: { shares: "1000000000000000000000" },
  });
  expect((await client.staking.delegatorDelegations(addressOf("dora"))).delegationResponses).toHaveLength(1);
  expect((await client.staking.validatorDelegations(operatorOf("adam"))).delegationResponses).toHaveLength(2);
  expect((await client.staking.delegatorValidators(addressOf("dora"))).validators).toHaveLength(1);
  staking.undelegate("dora", "adam", 300n);
  expect(
    (await client.staking.unbondingDelegation(addressOf("dora"), operatorOf("adam"))).unbond.entries,
  ).toMatchObject([{ balance: "300" }]);
  expect((await client.staking.delegatorUnbondingDelegations(addressOf("dora"))).unbondingResponses).toHaveLength(1);
  expect((await client.staking.pool()).pool).toEqual({ bondedTokens: "3700", notBondedTokens: "309" });
  expect((await client.staking.params()).params).toMatchObject({ bondDenom: "udcx", unbondingTime: { seconds: 6n } });
});

test("cosmjs reads what stake has earned", async () => {
  const { client } = exchange();
  const { rewards } = await client.distribution.delegationRewards(addressOf("dora"), operatorOf("adam"));
  expect(rewards).toEqual([{ denom: "udcx", amount: "225000000000000000000" }]);
  const { total } = await client.distribution.delegationTotalRewards(addressOf("dora"));
  expect(total).toEqual(rewards);
  const { commission } = await client.distribution.validatorCommission(operatorOf("adam"));
  expect(commission.commission[0]?.amount).toBe("50000000000000000000");
  const outstanding = await client.distribution.validatorOutstandingRewards(operatorOf("adam"));
  expect(outstanding.rewards.rewards[0]?.amount).toBe("500000000000000000000");
});

test("cosmjs reads proposals, votes and tallies", async () => {
  const { staking, client } = exchange();
  const id = staking.propose("nina", { maxValidators: "1" });
  staking.vote("adam", id, VoteOption.VOTE_OPTION_YES);
  const { proposal } = await client.gov.proposal(Number(id));
  expect(proposal).toMatchObject({ proposalId: id, totalDeposit: [{ amount: "100" }], status: 2 });
  expect((await client.gov.proposals(2, "", "")).proposals).toHaveLength(1);
  expect((await client.gov.proposals(3, "", "")).proposals).toEqual([]);
  expect((await client.gov.votes(Number(id))).votes).toMatchObject([{ voter: addressOf("adam"), option: 1 }]);
  expect((await client.gov.tally(Number(id))).tally).toMatchObject({ yes: "2000", no: "0" });
  await expect(client.gov.proposal(7)).rejects.toThrow("NotFound");
});

test("cosmjs reads who did not sign, and what that costs", async () => {
  const { world, client } = exchange();
  const of = (name: string) => toBech32("dcxvalcons", consensusAddressOf(consensusKeyOf(name)));
  world.absent("adam");
  world.blocks();
  expect((await client.slashing.signingInfo(of("adam"))).valSigningInfo).toMatchObject({
    address: of("adam"),
    missedBlocksCounter: 1n,
    tombstoned: false,
  });
  world.signedTwice("beth", 1n, 200n);
  world.blocks();
  const { info } = await client.slashing.signingInfos();
  expect(info.map(({ address, tombstoned }) => [address, tombstoned]).sort()).toEqual(
    [
      [of("adam"), false],
      [of("beth"), true],
    ].sort(),
  );
  await expect(client.slashing.signingInfo(of("nina"))).rejects.toThrow("NotFound");
  await expect(client.slashing.signingInfo(operatorOf("adam"))).rejects.toThrow("begins with dcxvalcons");
  const { params } = await client.slashing.params();
  expect(params).toMatchObject({ signedBlocksWindow: 6n });
  expect(Buffer.from(params.slashFractionDowntime).toString()).toBe("10000000000000000");
});
