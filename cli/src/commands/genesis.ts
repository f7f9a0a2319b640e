import { writeFileSync } from "node:fs";
import type { GenesisValidator } from "@dcx/exchange";
import { type Genesis, Parameters, parseTokens } from "@dcx/protocol";
import { Command } from "commander";
import { CommandFailure } from "../output/failure";

interface CreateOptions {
  readonly chainId: string;
  readonly denomination: string;
  readonly addressPrefix: string;
  readonly account: readonly string[];
  readonly validator: readonly string[];
  readonly parameter: readonly string[];
  readonly time?: string;
  readonly out?: string;
}

const collect = (value: string, all: readonly string[]): readonly string[] => [...all, value];

/** `dcx genesis`: what an exchange under CometBFT begins with. */
export function genesisCommand(): Command {
  const genesis = new Command("genesis").description("make the genesis of an exchange under CometBFT");
  genesis
    .command("create")
    .description("write the genesis.json that all validators start with")
    .requiredOption("--chain-id <id>", "name of the chain: part of every id, and of what every signature signs")
    .option("--denomination <name>", "the native token's micro-unit", "udcx")
    .option("--address-prefix <text>", "what addresses begin with", "dcx")
    .requiredOption("--account <address=tokens>", "an account and what it begins with; may be repeated", collect, [])
    .requiredOption(
      "--validator <name=key[:power][@address]>",
      "a validator's key, as `dcx node init` says it; power: 10; the account that owns its stake; may be repeated",
      collect,
      [],
    )
    .option("--parameter <name=value>", "what differs from the defaults; may be repeated", collect, [])
    .option("--time <time>", "when the chain begins (RFC 3339); now where it is not given")
    .option("--out <file>", "where to write it; standard output where it is not given")
    .action(async (options: CreateOptions) => {
      const { Branch, defaultGenesis, distributedGenesis, exchangeMachine, MemoryStore, withValidators } = await import(
        "@dcx/exchange"
      );
      const defaults = defaultGenesis({
        chainId: options.chainId,
        denomination: options.denomination,
        addressPrefix: options.addressPrefix,
        accounts: options.account.map(accountOf),
      });
      const appState = { ...defaults, parameters: parametersOf(defaults, options.parameter) };
      // What no chain can begin with is refused here, not at the first start of every validator.
      const validators = options.validator.map(validatorOf);
      exchangeMachine.initializeGenesis(new Branch(new MemoryStore()), withValidators(appState, validators));
      const document = distributedGenesis(appState, validators, timeOf(options.time));
      const text = `${JSON.stringify(document, undefined, 2)}\n`;
      if (options.out === undefined) process.stdout.write(text);
      else writeFileSync(options.out, text);
    });
  return genesis;
}

function accountOf(text: string): { readonly address: string; readonly balance: bigint } {
  const [, address, tokens] = /^([^=]+)=(.+)$/.exec(text) ?? [];
  if (address === undefined || tokens === undefined) {
    throw new CommandFailure(`--account ${text}: write it as address=tokens, as in dcx1…=1000.`, 2);
  }
  return { address, balance: parseTokens(tokens) };
}

function validatorOf(text: string): GenesisValidator {
  const [, name, publicKey, power, operator] =
    /^([^=]+)=([A-Za-z0-9+/]{43}=)(?::([1-9]\d{0,12}))?(?:@([a-z0-9]+))?$/.exec(text) ?? [];
  if (name === undefined || publicKey === undefined) {
    throw new CommandFailure(
      `--validator ${text}: write it as name=key, name=key:power or name=key:power@address (\`dcx node init\`).`,
      2,
    );
  }
  return { name, publicKey, power: BigInt(power ?? 10), ...(operator === undefined ? {} : { operator }) };
}

function parametersOf(genesis: Genesis, given: readonly string[]): Parameters {
  const defaults = Parameters.toJSON(genesis.parameters ?? Parameters.fromPartial({}));
  const known: readonly string[] = Object.keys(Parameters.fromPartial({}));
  const changes = given.map((text) => {
    const [, name, value] = /^([A-Za-z]+)=(.+)$/.exec(text) ?? [];
    if (name === undefined || value === undefined || !known.includes(name)) {
      throw new CommandFailure(`--parameter ${text}: write it as name=value, with a name of ${known.join(", ")}.`, 2);
    }
    return [name, value] as const;
  });
  return Parameters.fromJSON({ ...(defaults as object), ...Object.fromEntries(changes) });
}

function timeOf(text: string | undefined): Date {
  const time = text === undefined ? new Date() : new Date(text);
  if (Number.isNaN(time.getTime())) throw new CommandFailure(`--time ${text}: no time, as in 2026-01-31T12:00:00Z.`, 2);
  return time;
}
