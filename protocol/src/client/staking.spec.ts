import { proposalMessage, voteMessage } from "./governance";
import { createRegistry } from "./messages";
import {
  createValidatorMessage,
  editValidatorMessage,
  operatorAccount,
  operatorAddress,
  stakeMessages,
} from "./staking";

const account = "dcx1qyqszqgpqyqszqgpqyqszqgpqyqszqgpmpfgp4";
const other = "dcx1qgpqyqszqgpqyqszqgpqyqszqgpqyqsz290d2r";

test("a validator is named by its own address or by its account", () => {
  const operator = operatorAddress(account);
  expect(operator).toMatch(/^dcxvaloper1/);
  expect(operatorAddress(operator)).toBe(operator);
  expect(operatorAccount(operator)).toBe(account);
  expect(operatorAccount(account)).toBe(account);
});

test("every message about stake and votes can be encoded for a signature", async () => {
  const registry = await createRegistry();
  const bond = {
    operator: account,
    consensusKey: new Uint8Array(32).fill(7),
    moniker: "one",
    commission: { rate: 1n, maxRate: 2n, maxChange: 1n },
    stake: 5n,
    minSelfDelegation: 1n,
  };
  const proposal = {
    proposer: account,
    title: "a change",
    description: "for the better",
    changes: [{ name: "maxManagers", value: "3" }],
    deposit: 1n,
  };
  for (const message of [
    await createValidatorMessage(bond, "udcx"),
    editValidatorMessage(account, { moniker: "two" }),
    stakeMessages.delegate(account, other, 1n, "udcx"),
    stakeMessages.undelegate(account, other, 1n, "udcx"),
    stakeMessages.redelegate(account, account, other, 1n, "udcx"),
    stakeMessages.unjail(account),
    stakeMessages.withdrawRewards(account, other),
    stakeMessages.withdrawCommission(account),
    await proposalMessage(proposal, "udcx"),
    voteMessage(account, 1n, 1),
  ]) {
    const bytes = registry.encode(message);
    expect(registry.decode({ typeUrl: message.typeUrl, value: bytes })).toEqual(message.value);
  }
});
