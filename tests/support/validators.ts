import { type ChildProcess, execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { closeSync, openSync, readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { z } from "zod";
import { buildCometbft } from "./exchanges";
import { PeerLinks } from "./peer-links";
import { freePorts } from "./ports";
import { dcxCommand } from "./world";

const run = promisify(execFile);

const Identity = z.object({ nodeId: z.string(), validatorKey: z.string() });
const Status = z.object({
  result: z.object({
    sync_info: z.object({
      latest_block_height: z.coerce.bigint(),
      earliest_block_height: z.coerce.bigint(),
      catching_up: z.boolean(),
    }),
  }),
});
const Identified = z.object({ result: z.object({ validator_info: z.object({ address: z.string() }) }) });
const Block = z.object({
  result: z.object({ block: z.object({ header: z.object({ app_hash: z.string(), proposer_address: z.string() }) }) }),
});

/** One node of a network: a process of `dcx node start`, which has a CometBFT of its own. */
export interface Validator {
  readonly home: string;
  readonly rpcUrl: string;
  /** CometBFT's id of the node. */
  readonly nodeId: string;
  /** Where others reach it, without the links between validators. */
  readonly peerPort: number;
  process: ChildProcess | undefined;
}

/** What a validator is run with in place of the `dcx` command. */
export interface Program {
  readonly command: string;
  readonly args: readonly string[];
  readonly environment?: Readonly<Record<string, string>>;
}

export interface NetworkOptions {
  readonly folder: string;
  readonly count: number;
  readonly chainId: string;
  readonly accounts: Readonly<Record<string, bigint>>;
  readonly parameters: Readonly<Record<string, string>>;
  /** `key=value` of CometBFT's configuration, for all nodes. */
  readonly settings?: readonly string[];
}

/** An exchange of several validators on this machine, made and run with the commands that an operator has. */
export class Validators {
  private readonly joined: Validator[] = [];

  private constructor(
    readonly all: readonly Validator[],
    private readonly cometbft: string,
    private readonly genesis: string,
    private readonly links: PeerLinks,
    private readonly settings: readonly string[],
  ) {}

  static async start(options: NetworkOptions): Promise<Validators> {
    const cometbft = await buildCometbft();
    const homes = Array.from({ length: options.count }, (_, index) => join(options.folder, `validator-${index}`));
    const identities: z.infer<typeof Identity>[] = [];
    for (const home of homes) {
      const { stdout } = await run(dcxCommand, [
        "node",
        "init",
        "--home",
        home,
        "--cometbft",
        cometbft,
        "--no-password",
        "--json",
      ]);
      identities.push(Identity.parse(JSON.parse(stdout)));
    }
    const genesis = join(options.folder, "genesis.json");
    const pairs = (option: string, entries: Readonly<Record<string, unknown>>) =>
      Object.entries(entries).flatMap(([name, value]) => [option, `${name}=${value}`]);
    await run(dcxCommand, [
      ...["genesis", "create", "--chain-id", options.chainId, "--out", genesis],
      ...pairs("--account", options.accounts),
      ...pairs("--parameter", options.parameters),
      ...identities.flatMap(({ validatorKey }, index) => ["--validator", `validator-${index}=${validatorKey}`]),
    ]);
    for (const home of homes) {
      await run(dcxCommand, ["node", "init", "--home", home, "--cometbft", cometbft, "--genesis", genesis]);
    }
    const ports = await freePorts(2 * options.count);
    const validators = homes.map((home, index) => ({
      home,
      rpcUrl: `http://127.0.0.1:${ports[index]}`,
      nodeId: identities[index]?.nodeId ?? "",
      peerPort: ports[options.count + index] ?? 0,
      process: undefined,
    }));
    const links = await PeerLinks.start(validators.map(({ peerPort }) => peerPort));
    const network = new Validators(validators, cometbft, genesis, links, options.settings ?? []);
    for (const validator of network.all) network.run(validator);
    return network;
  }

  /** The validator of that index. */
  one(index: number): Validator {
    const validator = this.all[index];
    if (validator === undefined) throw new Error(`there is no validator ${index}`);
    return validator;
  }

  /** JSON-RPC of all of them. */
  get endpoints(): readonly string[] {
    return this.all.map(({ rpcUrl }) => rpcUrl);
  }

  /** Starts the process of one that does not run, which connects to the other validators, and to those that joined. */
  run(
    validator: Validator,
    program: Program = { command: dcxCommand, args: [] },
    joined: readonly Validator[] = [],
  ): void {
    const index = this.all.indexOf(validator);
    const peers = this.all.flatMap(({ nodeId }, other) =>
      other === index ? [] : [`${nodeId}@127.0.0.1:${this.links.port(index, other)}`],
    );
    this.spawn(validator, [...peers, ...joined.map(addressOf)], ["--snapshot-interval", "20"], program);
  }

  /** Nothing comes through between those of `side` and the others, until `heal`. */
  cut(side: readonly Validator[]): void {
    this.links.cut(side.map((validator) => this.all.indexOf(validator)));
  }

  heal(): void {
    this.links.heal();
  }

  /** Starts a node that is no validator, with what it needs beside the genesis. */
  async join(home: string, options: readonly string[]): Promise<Validator> {
    const engine = ["--cometbft", this.cometbft];
    const init = ["node", "init", "--home", home, "--genesis", this.genesis, ...engine, "--no-password", "--json"];
    const { nodeId } = Identity.parse(JSON.parse((await run(dcxCommand, init)).stdout));
    const [rpcPort, peerPort = 0] = await freePorts(2);
    const node: Validator = { home, rpcUrl: `http://127.0.0.1:${rpcPort}`, nodeId, peerPort, process: undefined };
    this.joined.push(node);
    this.spawn(node, this.all.map(addressOf), options, { command: dcxCommand, args: [] });
    return node;
  }

  /**
   * Joins by `dcx node join` alone: with the genesis that a node of the network gives, and a snapshot. Called again for one
   * that has ended it lets that one go on.
   */
  async joinByCommand(home: string, ended?: Validator): Promise<Validator> {
    const [rpcPort, peerPort = 0] = await freePorts(2);
    const [first = "", second = ""] = this.endpoints;
    const rpcUrl = `http://127.0.0.1:${rpcPort}`;
    const node = ended ?? { home, rpcUrl, nodeId: "", peerPort, process: undefined };
    if (ended === undefined) this.joined.push(node);
    const from = ["--genesis", first, "--state-sync", first, "--state-sync", second, "--no-password"];
    this.spawn(node, this.all.map(addressOf), from, { command: dcxCommand, args: [] }, "join");
    return node;
  }

  private spawn(
    node: Validator,
    peers: readonly string[],
    options: readonly string[],
    program: Program,
    how: "start" | "join" = "start",
  ): void {
    const log = openSync(`${node.home}.log`, "a");
    // All on one machine, with one address.
    const settings = ["p2p.addr_book_strict=false", "p2p.allow_duplicate_ip=true", "p2p.pex=false", ...this.settings];
    node.process = spawn(
      program.command,
      [
        ...program.args,
        ...["node", how, "--home", node.home, "--cometbft", this.cometbft],
        ...["--port", new URL(node.rpcUrl).port],
        ...["--peer-host", "127.0.0.1", "--peer-port", String(node.peerPort)],
        ...peers.flatMap((peer) => ["--peer", peer]),
        ...settings.flatMap((setting) => ["--engine-setting", setting]),
        ...options,
      ],
      { stdio: ["ignore", log, log], env: { ...process.env, ...program.environment } },
    );
    closeSync(log);
  }

  /** Stops both processes of one where they are: they answer nothing, and keep their connections. */
  pause(validator: Validator): void {
    for (const pid of this.processes(validator)) process.kill(pid, "SIGSTOP");
  }

  resume(validator: Validator): void {
    for (const pid of this.processes(validator)) process.kill(pid, "SIGCONT");
  }

  private processes(validator: Validator): readonly number[] {
    const { pid } = validator.process ?? {};
    if (pid === undefined) throw new Error(`${validator.home} does not run`);
    return [this.enginePid(validator), pid];
  }

  /** Lines of a validator's log from `offset` on, in which it says `text`. */
  saidSince(validator: Validator, offset: number, text: string): readonly string[] {
    const log = readFileSync(`${validator.home}.log`).subarray(offset).toString("utf8");
    return log.split("\n").filter((line) => line.includes(text));
  }

  /** Bytes of a validator's log until now. */
  logLength(validator: Validator): number {
    return statSync(`${validator.home}.log`).size;
  }

  /** Ends one without a warning: the application's process, or its CometBFT. The other of the two follows. */
  async kill(validator: Validator, which: "application" | "engine"): Promise<void> {
    const child = validator.process;
    if (child?.pid === undefined) throw new Error(`${validator.home} does not run`);
    process.kill(which === "application" ? child.pid : this.enginePid(validator), "SIGKILL");
    await this.ended(validator);
  }

  /** Waits until one that ends by itself has ended, with its CometBFT. */
  async ended(validator: Validator): Promise<void> {
    const child = validator.process;
    if (child === undefined) return;
    if (child.exitCode === null && child.signalCode === null) await once(child, "exit");
    await until(() => this.findEngine(validator) === undefined);
    validator.process = undefined;
  }

  /** Process id of a validator's CometBFT. */
  enginePid(validator: Validator): number {
    const found = this.findEngine(validator);
    if (found === undefined) throw new Error(`CometBFT of ${validator.home} does not run`);
    return Number(found);
  }

  private findEngine(validator: Validator): string | undefined {
    return readdirSync("/proc")
      .filter((name) => /^\d+$/.test(name))
      .find((pid) => {
        const command = commandOf(pid);
        return command[0]?.endsWith("/cometbft") === true && command.includes(join(validator.home, "cometbft"));
      });
  }

  /** Of the last block that this one has. `undefined`: it does not answer. */
  async height(validator: Validator): Promise<bigint | undefined> {
    return (await this.syncInfo(validator))?.latest_block_height;
  }

  /** Whether this one fetches blocks that were decided without it. `undefined`: it does not answer. */
  async catchesUp(validator: Validator): Promise<boolean | undefined> {
    return (await this.syncInfo(validator))?.catching_up;
  }

  private async syncInfo(validator: Validator) {
    try {
      const response = await fetch(`${validator.rpcUrl}/status`, { signal: AbortSignal.timeout(5_000) });
      return Status.parse(await response.json()).result.sync_info;
    } catch {
      return undefined;
    }
  }

  /** Height of the first block that it has. */
  async earliest(validator: Validator): Promise<bigint> {
    const response = await fetch(`${validator.rpcUrl}/status`);
    return Status.parse(await response.json()).result.sync_info.earliest_block_height;
  }

  /** What the header of a block says the application's state is: all validators have to say the same. */
  async appHash(validator: Validator, height: bigint): Promise<string> {
    const response = await fetch(`${validator.rpcUrl}/block?height=${height}`);
    return Block.parse(await response.json()).result.block.header.app_hash;
  }

  /** Address of the key that a validator signs with. */
  async address(validator: Validator): Promise<string> {
    const response = await fetch(`${validator.rpcUrl}/status`);
    return Identified.parse(await response.json()).result.validator_info.address;
  }

  /** Address of who proposed a block. */
  async proposer(validator: Validator, height: bigint): Promise<string> {
    const response = await fetch(`${validator.rpcUrl}/block?height=${height}`);
    return Block.parse(await response.json()).result.block.header.proposer_address;
  }

  async close(): Promise<void> {
    await Promise.all(
      [...this.all, ...this.joined].map(async ({ process: child }) => {
        if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
        const gone = once(child, "exit");
        child.kill("SIGCONT");
        child.kill("SIGTERM");
        await gone;
      }),
    );
    await this.links.close();
  }
}

function addressOf({ nodeId, peerPort }: Validator): string {
  return `${nodeId}@127.0.0.1:${peerPort}`;
}

function commandOf(pid: string): readonly string[] {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, "utf8").split("\0");
  } catch {
    return [];
  }
}

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setTimeout(resolve, 25));
}
