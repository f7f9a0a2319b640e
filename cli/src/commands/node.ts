import { readFileSync } from "node:fs";
import { Genesis } from "@dcx/protocol";
import { Command, Option } from "commander";
import { CommandFailure } from "../output/failure";
import { toJson } from "../output/print";
import { announceReady } from "../processes/detached";
import { onTermination } from "../processes/termination";

interface StartOptions {
  readonly home: string;
  readonly genesis?: string;
  readonly host: string;
  readonly port: string;
  readonly peer: readonly string[];
  readonly peerHost: string;
  readonly peerPort: string;
  readonly engineSetting: readonly string[];
  readonly cometbft: string;
  readonly logLevel: string;
}

const cometbftOption = () =>
  new Option("--cometbft <command>", "the cometbft command (0.38)").env("DCX_COMETBFT").default("cometbft");

const collect = (value: string, all: readonly string[]): readonly string[] => [...all, value];

/** `dcx node`: a node of an exchange, in the foreground. */
export function nodeCommand(): Command {
  const node = new Command("node").description("run a node of an exchange");
  node
    .command("init")
    .description("make the folder of a node under CometBFT, and say what others have to know of it")
    .requiredOption("--home <folder>", "where it is to keep its keys and its state")
    .option("--genesis <file>", "genesis that all validators share: `dcx genesis create`")
    .addOption(cometbftOption())
    .option("--json", "print the result for programs")
    .action(async (options: { home: string; genesis?: string; cometbft: string; json?: true }) => {
      const { initializeEngine, installGenesis } = await import("@dcx/exchange");
      const identity = await initializeEngine(options.home, options.cometbft);
      if (options.genesis !== undefined) installGenesis(options.home, readJson(options.genesis));
      process.stdout.write(
        options.json
          ? `${toJson(identity)}\n`
          : `node id        ${identity.nodeId}\nvalidator key  ${identity.validatorKey}\n`,
      );
    });
  node
    .command("start")
    .description(
      "run a node: under CometBFT where the folder was made by `dcx node init`, else the embedded one: one process, " +
        "one key that signs every block, so its operator is trusted",
    )
    .requiredOption("--home <folder>", "where it keeps its state")
    .option("--genesis <file>", "genesis of a new embedded chain; needed the first time")
    .option("--host <address>", "address to listen on", "127.0.0.1")
    .option("--port <port>", "port of CometBFT's JSON-RPC; 0: any free one (embedded only)", "26657")
    .option("--peer <id@host:port>", "under CometBFT: a node to stay connected to; may be repeated", collect, [])
    .option("--peer-host <address>", "under CometBFT: address on which other nodes reach this one", "0.0.0.0")
    .option("--peer-port <port>", "under CometBFT: port on which other nodes reach this one", "26656")
    .option(
      "--engine-setting <key=value>",
      "under CometBFT: in place of what its config.toml says; may be repeated",
      collect,
      [],
    )
    .addOption(cometbftOption())
    .addOption(
      new Option("--log-level <level>", "least level that is logged; debug holds CometBFT's own lines")
        .choices(["trace", "debug", "info", "warn", "error", "fatal"])
        .default("info"),
    )
    .action(async (options: StartOptions) => {
      const { isDistributed } = await import("@dcx/exchange");
      const running = isDistributed(options.home) ? await startDistributed(options) : await startEmbedded(options);
      announceReady({ rpcUrl: running.rpcUrl, chainId: running.chainId });
      await Promise.race([onTermination(), running.done]);
      await running.close();
    });
  node
    .command("check")
    .description("check the folder of a stopped node: the state's invariants, its app hash, and its blocks")
    .requiredOption("--home <folder>", "where it keeps its state")
    .action(async (options: { home: string }) => {
      const { checkHome } = await import("@dcx/exchange");
      const problems = await checkHome(options.home);
      if (problems.length === 0) {
        process.stdout.write("State, app hash and blocks are as they must be.\n");
        return;
      }
      for (const problem of problems) process.stderr.write(`${problem}\n`);
      process.exitCode = 1;
    });
  return node;
}

interface Running {
  readonly rpcUrl: string;
  readonly chainId: string;
  readonly done: Promise<void>;
  close(): Promise<void>;
}

async function startEmbedded({ home, genesis, host, port, logLevel }: StartOptions): Promise<Running> {
  const { startEmbeddedNode } = await import("@dcx/exchange");
  const { pino } = await import("pino");
  return startEmbeddedNode({
    home,
    ...(genesis === undefined ? {} : { genesis: Genesis.fromJSON(readJson(genesis)) }),
    rpc: { host, port: Number(port) },
    logger: pino({ name: "node", level: logLevel }),
  });
}

async function startDistributed(options: StartOptions): Promise<Running> {
  if (options.genesis !== undefined) {
    throw new CommandFailure("A node under CometBFT gets its genesis by `dcx node init --genesis`.", 2);
  }
  const { startDistributedNode } = await import("@dcx/exchange");
  const { pino } = await import("pino");
  const node = await startDistributedNode({
    home: options.home,
    cometbft: options.cometbft,
    rpc: { host: options.host, port: Number(options.port) },
    peers: { host: options.peerHost, port: Number(options.peerPort), persistent: options.peer },
    settings: Object.fromEntries(options.engineSetting.map(settingOf)),
    logger: pino({ name: "node", level: options.logLevel }),
  });
  // A chain of several validators begins when enough of them are there: being asked to end must not wait for that.
  await Promise.race([node.ready, onTermination()]);
  return node;
}

function settingOf(text: string): readonly [key: string, value: string] {
  const [, key, value] = /^([a-z0-9_.-]+)=(.*)$/i.exec(text) ?? [];
  if (key === undefined || value === undefined) {
    throw new CommandFailure(`--engine-setting ${text}: write it as key=value, as in p2p.pex=false.`, 2);
  }
  return [key, value];
}

function readJson(path: string): Readonly<Record<string, unknown>> {
  try {
    return JSON.parse(readFileSync(path, "utf8"));
  } catch (error) {
    throw new CommandFailure(`${path} can't be read as JSON: ${(error as Error).message}`, 2);
  }
}
