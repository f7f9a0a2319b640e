import { readFileSync } from "node:fs";
import type { ClientInterfaces, ClientUrls } from "@dcx/exchange";
import { Genesis } from "@dcx/protocol";
import { Command, Option } from "commander";
import { keyFilePassword, newPassword } from "../connection/password";
import { CommandFailure } from "../output/failure";
import { toJson } from "../output/print";
import { announceReady, endWithoutRecord } from "../processes/detached";
import { onTermination } from "../processes/termination";
import { consensusKeyPassword, fetchGenesis, prepareToJoin } from "./node-join";
import { nodeStatusCommand } from "./node-status";

interface StartOptions {
  readonly home: string;
  readonly genesis?: string;
  readonly host: string;
  readonly port: string;
  readonly restPort?: string;
  readonly grpcPort?: string;
  readonly metricsPort?: string;
  readonly allowedOrigin: readonly string[];
  readonly allowedHost: readonly string[];
  readonly peer: readonly string[];
  readonly peerHost: string;
  readonly peerPort: string;
  readonly engineSetting: readonly string[];
  readonly snapshotInterval: string;
  readonly keepBlocks: string;
  readonly haltHeight?: string;
  readonly stateSync: readonly string[];
  readonly trust?: string;
  readonly cometbft: string;
  readonly logLevel: string;
}

const cometbftOption = () =>
  new Option("--cometbft <command>", "the cometbft command (0.38)").env("DCX_COMETBFT").default("cometbft");

const noPassword = "a new key that signs blocks is written in clear, for its owner alone to read";

interface InitOptions {
  readonly home: string;
  readonly genesis?: string;
  readonly cometbft: string;
  /** False: --no-password. */
  readonly password: boolean;
  readonly json?: true;
}

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
    .option("--no-password", noPassword)
    .option("--json", "print the result for programs")
    .action(async (options: InitOptions) => {
      const { initializeEngine, installGenesis } = await import("@dcx/exchange");
      const identity = await initializeEngine(options.home, options.cometbft, await consensusKeyPassword(options));
      if (options.genesis !== undefined) installGenesis(options.home, readJson(options.genesis));
      process.stdout.write(
        options.json
          ? `${toJson(identity)}\n`
          : `node id        ${identity.nodeId}\nvalidator key  ${identity.validatorKey}\n`,
      );
    });
  startOptions(node.command("start"))
    .description(
      "run a node: under CometBFT where the folder was made by `dcx node init`, else the embedded one: one process, " +
        "one key that signs every block, so its operator is trusted",
    )
    .option("--genesis <file>", "genesis of a new embedded chain; needed the first time")
    .action(run);
  startOptions(node.command("join"))
    .description(
      "become a node of a chain under CometBFT, and run it: what `dcx node init` and `dcx node start` do; a folder that " +
        "has joined already goes on",
    )
    .requiredOption(
      "--genesis <file or URL>",
      "the chain's genesis, or the JSON-RPC of a node that is believed about it",
    )
    .option("--no-password", noPassword)
    .action(
      async ({ genesis, ...options }: StartOptions & { readonly genesis: string; readonly password: boolean }) => {
        await prepareToJoin(options, () =>
          /^https?:\/\//.test(genesis) ? fetchGenesis(genesis) : Promise.resolve(readJson(genesis)),
        );
        await run(options);
      },
    );
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
  node
    .command("encrypt-key")
    .description("encrypt the key that signs blocks, of a node that has it in clear, in its place")
    .requiredOption("--home <folder>", "where it keeps its keys")
    .action(async ({ home }: { home: string }) => {
      const { consensusKeyFile, encryptConsensusKey, engineHome } = await import("@dcx/exchange");
      const path = consensusKeyFile(engineHome(home));
      await encryptConsensusKey(engineHome(home), await newPassword(path));
      process.stdout.write(
        `${path} is encrypted; the node reads it with its next start. The disk and backups may still hold it in clear.\n`,
      );
    });
  node.addCommand(nodeStatusCommand());
  return node;
}

/** What a node is run with. */
function startOptions(command: Command): Command {
  return command
    .requiredOption("--home <folder>", "where it keeps its keys and its state")
    .option("--host <address>", "address to listen on", "127.0.0.1")
    .option("--port <port>", "port of CometBFT's JSON-RPC; 0: any free one (embedded only)", "26657")
    .option("--rest-port <port>", "port of the REST gateway, customarily 1317; 0: any free one; absent: none")
    .option("--grpc-port <port>", "port of gRPC queries, without TLS, customarily 9090; absent: none")
    .option("--metrics-port <port>", "port of /metrics (Prometheus) and /health, customarily 26660; absent: none")
    .option("--allowed-origin <origin>", "a web page's origin that may call, or *; may be repeated", collect, [])
    .option("--allowed-host <name>", "a name besides localhost by which it is called; may be repeated", collect, [])
    .option("--peer <id@host:port>", "under CometBFT: a node to stay connected to; may be repeated", collect, [])
    .option("--peer-host <address>", "under CometBFT: address on which other nodes reach this one", "0.0.0.0")
    .option("--peer-port <port>", "under CometBFT: port on which other nodes reach this one", "26656")
    .option(
      "--engine-setting <key=value>",
      "under CometBFT: in place of what its config.toml says; may be repeated",
      collect,
      [],
    )
    .option("--snapshot-interval <blocks>", "under CometBFT: blocks between snapshots for new nodes; 0: none", "1000")
    .option("--keep-blocks <blocks>", "under CometBFT: newest blocks to keep, 100000 at least; 0: all", "0")
    .option("--halt-height <height>", "under CometBFT: last block to take part in, for an upgrade; then the node stops")
    .option(
      "--state-sync <url>",
      "under CometBFT: begin a new node with a snapshot instead of all blocks, checked against the headers that this " +
        "node's RPC gives; say two or more",
      collect,
      [],
    )
    .option(
      "--trust <height:hash>",
      "a block known to be the chain's; else the newest that the first --state-sync says",
    )
    .addOption(cometbftOption())
    .addOption(
      new Option("--log-level <level>", "least level that is logged; debug holds CometBFT's own lines")
        .choices(["trace", "debug", "info", "warn", "error", "fatal"])
        .default("info"),
    );
}

async function run(options: StartOptions): Promise<void> {
  endWithoutRecord();
  const { isDistributed } = await import("@dcx/exchange");
  const running = isDistributed(options.home) ? await startDistributed(options) : await startEmbedded(options);
  announceReady({ rpcUrl: running.rpcUrl, ...running.clients, chainId: running.chainId });
  await Promise.race([onTermination(), running.done]);
  await running.close();
}

interface Running {
  readonly rpcUrl: string;
  readonly clients: ClientUrls;
  readonly chainId: string;
  readonly done: Promise<void>;
  close(): Promise<void>;
}

async function startEmbedded(options: StartOptions): Promise<Running> {
  const { home, genesis, logLevel } = options;
  const { startEmbeddedNode } = await import("@dcx/exchange");
  const { pino } = await import("pino");
  return startEmbeddedNode({
    home,
    ...(genesis === undefined ? {} : { genesis: Genesis.fromJSON(readJson(genesis)) }),
    rpc: listenOn(options, options.port),
    clients: clientsOf(options),
    logger: pino({ name: "node", level: logLevel }),
  });
}

async function startDistributed(options: StartOptions): Promise<Running> {
  if (options.genesis !== undefined) {
    throw new CommandFailure("A node under CometBFT gets its genesis by `dcx node init --genesis`.", 2);
  }
  const { consensusKeyFile, engineHome, evidenceBlocks, startDistributedNode } = await import("@dcx/exchange");
  const { pino } = await import("pino");
  const node = await startDistributedNode({
    home: options.home,
    cometbft: options.cometbft,
    rpc: { host: options.host, port: Number(options.port) },
    clients: clientsOf(options),
    peers: { host: options.peerHost, port: Number(options.peerPort), persistent: options.peer },
    password: () => keyFilePassword(consensusKeyFile(engineHome(options.home))),
    snapshotInterval: Number(options.snapshotInterval),
    keptBlocks: keptBlocks(options.keepBlocks, evidenceBlocks),
    haltHeight: haltHeight(options.haltHeight),
    settings: { ...(await stateSyncSettings(options)), ...Object.fromEntries(options.engineSetting.map(settingOf)) },
    logger: pino({ name: "node", level: options.logLevel }),
  });
  // A chain of several validators begins when enough of them are there: being asked to end must not wait for that.
  await Promise.race([node.ready, onTermination()]);
  return node;
}

function clientsOf(options: StartOptions): ClientInterfaces {
  const { restPort, grpcPort, metricsPort } = options;
  return {
    ...(restPort === undefined ? {} : { rest: listenOn(options, restPort) }),
    ...(grpcPort === undefined ? {} : { grpc: listenOn(options, grpcPort) }),
    ...(metricsPort === undefined ? {} : { metrics: listenOn(options, metricsPort) }),
  };
}

function listenOn({ host, allowedHost, allowedOrigin }: StartOptions, port: string) {
  return { host, port: portOf(port), allowedHosts: allowedHost, allowedOrigins: allowedOrigin };
}

function portOf(text: string): number {
  const port = Number(text);
  if (!Number.isInteger(port) || port < 0 || port > 65_535) {
    throw new CommandFailure(`${text} is no port: it is a whole number from 0 to 65535.`, 2);
  }
  return port;
}

async function stateSyncSettings({ stateSync, trust }: StartOptions): Promise<Readonly<Record<string, string>>> {
  const [first, second] = stateSync;
  if (first === undefined) return {};
  if (second === undefined) {
    throw new CommandFailure("--state-sync needs two nodes at least: one is checked against another.", 2);
  }
  const { newestBlock } = await import("@dcx/exchange");
  const [, height, hash] = /^(\d+):([0-9A-Fa-f]{64})$/.exec(trust ?? (await newestBlock(first))) ?? [];
  if (height === undefined || hash === undefined) {
    throw new CommandFailure(`--trust ${trust}: write it as height:hash, with the block's hash in hexadecimal.`, 2);
  }
  return {
    "statesync.enable": "true",
    "statesync.rpc_servers": stateSync.join(","),
    "statesync.trust_height": height,
    "statesync.trust_hash": hash,
    "statesync.discovery_time": "5s",
  };
}

/** @param least those in which evidence of a validator's fault counts */
function keptBlocks(text: string, least: bigint): bigint | undefined {
  const count = /^\d{1,18}$/.test(text) ? BigInt(text) : undefined;
  if (count === 0n) return undefined;
  if (count === undefined || count < least) {
    throw new CommandFailure(
      `--keep-blocks ${text}: keep ${least} at least, for as long counts that a validator signed twice; 0 keeps all.`,
      2,
    );
  }
  return count;
}

function haltHeight(text: string | undefined): bigint | undefined {
  if (text === undefined) return undefined;
  if (!/^[1-9]\d{0,17}$/.test(text)) throw new CommandFailure(`--halt-height ${text}: it is the number of a block.`, 2);
  return BigInt(text);
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
