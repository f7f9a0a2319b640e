import {
  formatTokens,
  type ParameterChange,
  type Proposal,
  ProposalStatus,
  pages,
  parseTokens,
  proposalMessage,
  StakeQueries,
  VoteOption,
  voteMessage,
} from "@dcx/protocol";
import { Argument, Command } from "commander";
import { type ConnectionOptions, connect, endpointOption, keyFileOption } from "../connection/exchange";
import { submitMessage } from "../connection/submit";
import { CommandFailure } from "../output/failure";
import { toJson, toTable } from "../output/print";

type ListOptions = ConnectionOptions & { readonly json?: true };

interface ProposeOptions extends ConnectionOptions {
  readonly title: string;
  readonly description: string;
  readonly change: readonly string[];
  readonly deposit?: string;
}

const options: Readonly<Record<string, VoteOption>> = {
  yes: VoteOption.YES,
  no: VoteOption.NO,
  abstain: VoteOption.ABSTAIN,
  veto: VoteOption.NO_WITH_VETO,
};

const statusTexts: Readonly<Record<ProposalStatus, string>> = {
  [ProposalStatus.UNSPECIFIED]: "unknown",
  [ProposalStatus.VOTING]: "is voted on",
  [ProposalStatus.PASSED]: "passed",
  [ProposalStatus.REJECTED]: "rejected",
  [ProposalStatus.FAILED]: "passed, but failed",
  [ProposalStatus.UNRECOGNIZED]: "unknown",
};

/** `dcx governance`: changes of the exchange's parameters by vote. */
export function governanceCommand(): Command {
  const governance = new Command("governance").description("propose changes of the exchange's parameters, and vote");
  const command = (name: string, description: string): Command =>
    governance.command(name).description(description).addOption(endpointOption()).addOption(keyFileOption());

  command("proposals", "what is voted on, and what was")
    .option("--json", "print the result for programs")
    .action(async (given: ListOptions) => {
      using client = await connect(given);
      const queries = new StakeQueries(client);
      const found: Proposal[] = [];
      for await (const one of pages(
        (page) => queries.proposals({ page }),
        (answer) => answer.proposals,
      ))
        found.push(one);
      process.stdout.write(`${given.json ? toJson(found) : proposalTable(found)}\n`);
    });

  command("votes", "who has voted on a proposal that is not decided yet")
    .argument("<proposal>", "its number")
    .option("--json", "print the result for programs")
    .action(async (proposal: string, given: ListOptions) => {
      using client = await connect(given);
      const queries = new StakeQueries(client);
      const id = idOf(proposal);
      const found: { readonly voter: string; readonly option: string }[] = [];
      for await (const one of pages(
        (page) => queries.votes({ proposal: id, page }),
        (answer) => answer.votes,
      )) {
        found.push({ voter: one.voter, option: optionName(one.option) });
      }
      const table = () =>
        toTable(
          found,
          [
            { title: "voter", value: ({ voter }) => voter },
            { title: "vote", value: ({ option }) => option },
          ],
          `nobody has voted on ${proposal}, or the vote is over`,
        );
      process.stdout.write(`${given.json ? toJson(found) : table()}\n`);
    });

  command("propose", "ask for a change of parameters, and put down the deposit")
    .requiredOption("--title <text>", "what it is about")
    .requiredOption("--description <text>", "why")
    .requiredOption(
      "--change <name=value...>",
      "parameters and what they are to be, as `dcx query parameters` has them",
    )
    .option("--deposit <tokens>", "what you put down; what a proposal takes where it is not given")
    .action((given: ProposeOptions) =>
      submitMessage(given, async (client, proposer, denomination) => {
        const { parameters } = await client.parameters();
        const deposit = given.deposit === undefined ? parameters?.proposalDeposit : parseTokens(given.deposit);
        const { title, description } = given;
        const proposal = { proposer, title, description, changes: given.change.map(changeOf), deposit: deposit ?? 0n };
        return proposalMessage(proposal, denomination);
      }),
    );

  command("vote", "vote on a proposal with all that you have staked")
    .argument("<proposal>", "its number")
    .addArgument(new Argument("<option>", "what you want").choices(Object.keys(options)))
    .action((proposal: string, option: string, given: ConnectionOptions) =>
      submitMessage(given, (_client, voter) =>
        voteMessage(voter, idOf(proposal), options[option] ?? VoteOption.UNSPECIFIED),
      ),
    );

  return governance;
}

function idOf(text: string): bigint {
  if (!/^[1-9]\d{0,18}$/.test(text)) {
    throw new CommandFailure(`${text} is no number of a proposal: see \`dcx governance proposals\`.`, 2);
  }
  return BigInt(text);
}

function changeOf(text: string): ParameterChange {
  const [, name, value] = /^([A-Za-z]+)=(\d+)$/.exec(text) ?? [];
  if (name === undefined || value === undefined) {
    throw new CommandFailure(`--change ${text}: write it as name=value, with a whole number.`, 2);
  }
  return { name, value };
}

function optionName(option: VoteOption): string {
  return Object.entries(options).find(([, value]) => value === option)?.[0] ?? "unknown";
}

function proposalTable(found: readonly Proposal[]): string {
  const tokens = (amount: bigint | undefined) => formatTokens(amount ?? 0n);
  return toTable(
    found,
    [
      { title: "number", value: ({ id }) => id.toString(), align: "right" },
      { title: "title", value: ({ title }) => title },
      { title: "changes", value: ({ changes }) => changes.map(({ name, value }) => `${name}=${value}`).join(" ") },
      { title: "yes", value: ({ tally }) => tokens(tally?.yes), align: "right" },
      { title: "no", value: ({ tally }) => tokens(tally?.no), align: "right" },
      { title: "abstain", value: ({ tally }) => tokens(tally?.abstain), align: "right" },
      { title: "veto", value: ({ tally }) => tokens(tally?.veto), align: "right" },
      { title: "ends in block", value: ({ endHeight }) => endHeight.toString(), align: "right" },
      {
        title: "state",
        value: ({ status, failure }) => `${statusTexts[status]}${failure === "" ? "" : `: ${failure}`}`,
      },
    ],
    "nothing is voted on",
  );
}
