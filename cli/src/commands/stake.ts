import {
  createValidatorMessage,
  type DelegationWithRewards,
  editValidatorMessage,
  formatShare,
  formatTokens,
  operatorAccount,
  operatorAddress,
  pages,
  parseShare,
  parseTokens,
  StakeQueries,
  stakeMessages,
  type Unbonding,
  type ValidatorWithRewards,
} from "@dcx/protocol";
import { Command } from "commander";
import { type ConnectionOptions, connect, endpointOption, keyFileOption, tenantAddress } from "../connection/exchange";
import { submitMessage } from "../connection/submit";
import { CommandFailure } from "../output/failure";
import { toJson, toTable } from "../output/print";

type ListOptions = ConnectionOptions & { readonly json?: true };

interface BondOptions extends ConnectionOptions {
  readonly key: string;
  readonly moniker: string;
  readonly website?: string;
  readonly details?: string;
  readonly commission: string;
  readonly maxCommission: string;
  readonly maxCommissionChange: string;
  readonly minSelfStake?: string;
}

interface EditOptions extends ConnectionOptions {
  readonly moniker?: string;
  readonly website?: string;
  readonly details?: string;
  readonly commission?: string;
}

/** `dcx stake`: validators, and the stake that elects them. */
export function stakeCommand(): Command {
  const stake = new Command("stake").description("validate, or stake tokens with those who do");
  const command = (name: string, description: string): Command =>
    stake.command(name).description(description).addOption(endpointOption()).addOption(keyFileOption());

  command("validators", "who validates, and who would with more stake")
    .option("--json", "print the result for programs")
    .action(async (options: ListOptions) => {
      using client = await connect(options);
      const queries = new StakeQueries(client);
      const found = await all(
        pages(
          (page) => queries.validators({ page }),
          (answer) => answer.validators,
        ),
      );
      process.stdout.write(`${options.json ? toJson(found) : validatorTable(found)}\n`);
    });

  command("show", "what an account has staked, earned and taken back; your own where none is named")
    .argument("[account]", "its address")
    .option("--json", "print the result for programs")
    .action(async (account: string | undefined, options: ListOptions) => {
      using client = await connect(options);
      const delegator = account ?? (await tenantAddress(options, client));
      if (delegator === undefined) {
        throw new CommandFailure("Name an account, or the key file of one with --key-file.", 2);
      }
      const queries = new StakeQueries(client);
      const delegations = await all(
        pages(
          (page) => queries.delegations({ delegator, page }),
          (answer) => answer.delegations,
        ),
      );
      const unbondings = await all(
        pages(
          (page) => queries.unbondings({ delegator, page }),
          (answer) => answer.unbondings,
        ),
      );
      const text = (): string => `${delegationTable(delegator, delegations)}\n${unbondingTable(unbondings)}`.trimEnd();
      process.stdout.write(`${options.json ? toJson({ delegations, unbondings }) : text()}\n`);
    });

  command("bond", "run a validator, with so much stake of your own")
    .argument("<tokens>", "what you stake with it")
    .requiredOption("--key <key>", "the key that signs blocks, as `dcx node init` says it")
    .requiredOption("--moniker <name>", "what people call it")
    .option("--website <url>", "for people")
    .option("--details <text>", "for people")
    .option("--commission <share>", "what the validator takes of the fees first", "0.1")
    .option("--max-commission <share>", "the most that it will ever take", "0.2")
    .option("--max-commission-change <share>", "by how much that may change within a commission period", "0.01")
    .option("--min-self-stake <tokens>", "what you promise to keep staked; 0.000001 where it is not given")
    .action((tokens: string, options: BondOptions) =>
      submitMessage(options, (_client, operator, denomination) =>
        createValidatorMessage(
          {
            operator,
            consensusKey: consensusKeyOf(options.key),
            moniker: options.moniker,
            ...(options.website === undefined ? {} : { website: options.website }),
            ...(options.details === undefined ? {} : { details: options.details }),
            commission: {
              rate: parseShare(options.commission),
              maxRate: parseShare(options.maxCommission),
              maxChange: parseShare(options.maxCommissionChange),
            },
            stake: parseTokens(tokens),
            minSelfDelegation: parseTokens(options.minSelfStake ?? "1u"),
          },
          denomination,
        ),
      ),
    );

  command("edit", "change what your validator says of itself, or takes of the fees")
    .option("--moniker <name>", "what people call it")
    .option("--website <url>", "for people")
    .option("--details <text>", "for people")
    .option("--commission <share>", "what the validator takes of the fees first")
    .action((options: EditOptions) => {
      const { moniker, website, details, commission } = options;
      const rate = commission === undefined ? undefined : parseShare(commission);
      return submitMessage(options, (_client, operator) =>
        editValidatorMessage(operator, { moniker, website, details, commission: rate }),
      );
    });

  command("delegate", "stake tokens with a validator")
    .argument("<validator>", "its address, or that of the account that runs it")
    .argument("<tokens>", "how much")
    .action((validator: string, tokens: string, options: ConnectionOptions) =>
      submitMessage(options, (_client, own, denomination) =>
        stakeMessages.delegate(own, validatorOf(validator), parseTokens(tokens), denomination),
      ),
    );

  command("undelegate", "take stake back; it is yours after the unbonding period")
    .argument("<validator>", "its address, or that of the account that runs it")
    .argument("<tokens>", "how much")
    .action((validator: string, tokens: string, options: ConnectionOptions) =>
      submitMessage(options, (_client, own, denomination) =>
        stakeMessages.undelegate(own, validatorOf(validator), parseTokens(tokens), denomination),
      ),
    );

  command("redelegate", "move stake from one validator to another")
    .argument("<from>", "a validator")
    .argument("<to>", "another one")
    .argument("<tokens>", "how much")
    .action((from: string, to: string, tokens: string, options: ConnectionOptions) =>
      submitMessage(options, (_client, own, denomination) =>
        stakeMessages.redelegate(own, validatorOf(from), validatorOf(to), parseTokens(tokens), denomination),
      ),
    );

  command("withdraw", "have what your stake with a validator has earned")
    .argument("<validator>", "its address, or that of the account that runs it")
    .action((validator: string, options: ConnectionOptions) =>
      submitMessage(options, (_client, own) => stakeMessages.withdrawRewards(own, validatorOf(validator))),
    );

  command("commission", "have what your validator has earned as commission").action((options: ConnectionOptions) =>
    submitMessage(options, (_client, own) => stakeMessages.withdrawCommission(own)),
  );

  command("unjail", "take your validator out of jail").action((options: ConnectionOptions) =>
    submitMessage(options, (_client, own) => stakeMessages.unjail(own)),
  );

  return stake;
}

async function all<Item>(items: AsyncIterable<Item>): Promise<Item[]> {
  const found: Item[] = [];
  for await (const item of items) found.push(item);
  return found;
}

function validatorOf(address: string): string {
  try {
    return operatorAddress(operatorAccount(address));
  } catch {
    throw new CommandFailure(`${address} is no address of a validator or an account: see \`dcx stake validators\`.`, 2);
  }
}

function consensusKeyOf(text: string): Uint8Array {
  if (!/^[A-Za-z0-9+/]{43}=$/.test(text)) {
    throw new CommandFailure(`--key ${text}: give the validator's key as \`dcx node init\` says it, in base64.`, 2);
  }
  return Buffer.from(text, "base64");
}

function stateOf({ power, jailed, tombstoned, jailedUntil }: NonNullable<ValidatorWithRewards["validator"]>): string {
  if (tombstoned) return "barred: it signed twice";
  if (jailed) return `jailed until block ${jailedUntil}`;
  return power > 0n ? "validates" : "not elected";
}

function validatorTable(found: readonly ValidatorWithRewards[]): string {
  const rows = found
    .flatMap(({ validator, missed }) => (validator === undefined ? [] : [{ ...validator, missed }]))
    .sort((left, right) => Number(right.tokens - left.tokens) || Number(left.number - right.number));
  return toTable(
    rows,
    [
      { title: "validator", value: ({ description }) => description?.moniker ?? "" },
      { title: "address", value: ({ operator }) => operatorAddress(operator) },
      { title: "stake", value: ({ tokens }) => formatTokens(tokens), align: "right" },
      { title: "power", value: ({ power }) => power.toString(), align: "right" },
      { title: "commission", value: ({ commission }) => formatShare(BigInt(commission?.rate ?? "0")), align: "right" },
      { title: "missed", value: ({ missed }) => missed.toString(), align: "right" },
      { title: "state", value: stateOf },
    ],
    "stake has elected nobody: whom the genesis names validates",
  );
}

function delegationTable(delegator: string, found: readonly DelegationWithRewards[]): string {
  return toTable(
    found,
    [
      { title: "with", value: ({ delegation }) => operatorAddress(delegation?.validator ?? "") },
      { title: "staked", value: ({ tokens }) => formatTokens(tokens), align: "right" },
      { title: "earned", value: ({ rewards }) => formatTokens(rewards), align: "right" },
    ],
    `${delegator} has nothing staked`,
  );
}

function unbondingTable(found: readonly Unbonding[]): string {
  return toTable(
    found,
    [
      { title: "taken back from", value: ({ validator }) => operatorAddress(validator) },
      { title: "tokens", value: ({ balance }) => formatTokens(balance), align: "right" },
      { title: "free in block", value: ({ endHeight }) => endHeight.toString(), align: "right" },
    ],
    "",
  );
}
