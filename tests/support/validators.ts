import { type ChildProcess, execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { closeSync, openSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { z } from "zod";
import { buildCometbft } from "./exchanges";
import { freePorts } from "./ports";
import { dcxCommand } from "./world";

const run = promisify(execFile);

const Status = z.object({
  result: z.object({
    sync_info: z.object({ latest_block_height: z.coerce.bigint(), earliest_block_height: z.coerce.bigint() }),
  }),
});
const Block = z.object({
  result: z.object({ block: z.object({ header: z.object({ app_hash: z.string() }) }) }),
});

/** One node of a network: a process of `dcx node start`, which has a CometBFT of its own. */
export interface Validator {
  readonly home: string;
  readonly rpcUrl: string;
  process: ChildProcess | undefined;
}

export interface NetworkOptions {
  readonly folder: string;
  readonly count: number;
  readonly chainId: string;
  readonly accounts: Readonly<Record<string, bigint>>;
  readonly parameters: Readonly<Record<string, string>>;
}

/** An exchange of several validators on this machine, made and run with the commands that an operator has. */
export class Validators {
  private readonly joined: Validator[] = [];

  private constructor(
    readonly all: readonly Validator[],
    private readonly peers: readonly { readonly id: string; readonly port: number }[],
    private readonly cometbft: string,
    private readonly genesis: string,
  ) {}

  static async start(options: NetworkOptions): Promise<Validators> {
    const cometbft = await buildCometbft();
    const homes = Array.from({ length: options.count }, (_, index) => join(options.folder, `validator-${index}`));
    const identities = [];
    for (const home of homes) {
      const { stdout } = await run(dcxCommand, ["node", "init", "--home", home, "--cometbft", cometbft, "--json"]);
      identities.push(z.object({ nodeId: z.string(), validatorKey: z.string() }).parse(JSON.parse(stdout)));
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
      process: undefined,
    }));
    const peers = identities.map(({ nodeId }, index) => ({ id: nodeId, port: ports[options.count + index] ?? 0 }));
    const network = new Validators(validators, peers, cometbft, genesis);
    for (const validator of network.all) network.run(validator);
    return network;
  }

  /** JSON-RPC of all of them. */
  get endpoints(): readonly string[] {
    return this.all.map(({ rpcUrl }) => rpcUrl);
  }

  /** Starts the process of one that does not run. */
  run(validator: Validator): void {
    const index = this.all.indexOf(validator);
    this.spawn(validator, this.peers[index]?.port ?? 0, ["--snapshot-interval", "20"]);
  }

  /** Starts a node that is no validator, with what it needs beside the genesis. */
  async join(home: string, options: readonly string[]): Promise<Validator> {
    const engine = ["--cometbft", this.cometbft];
    await run(dcxCommand, ["node", "init", "--home", home, "--genesis", this.genesis, ...engine]);
    const [rpcPort, peerPort = 0] = await freePorts(2);
    const node: Validator = { home, rpcUrl: `http://127.0.0.1:${rpcPort}`, process: undefined };
    this.joined.push(node);
    this.spawn(node, peerPort, options);
    return node;
  }

  private spawn(node: Validator, peerPort: number, options: readonly string[]): void {
    const log = openSync(`${node.home}.log`, "a");
    const peers = this.peers.filter(({ port }) => port !== peerPort);
    // All on one machine, with one address.
    const settings = ["p2p.addr_book_strict=false", "p2p.allow_duplicate_ip=true", "p2p.pex=false"];
    node.process = spawn(
      dcxCommand,
      [
        ...["node", "start", "--home", node.home, "--cometbft", this.cometbft],
        ...["--port", new URL(node.rpcUrl).port],
        ...["--peer-host", "127.0.0.1", "--peer-port", String(peerPort)],
        ...peers.flatMap(({ id, port }) => ["--peer", `${id}@127.0.0.1:${port}`]),
        ...settings.flatMap((setting) => ["--engine-setting", setting]),
        ...options,
      ],
      { stdio: ["ignore", log, log] },
    );
    closeSync(log);
  }

  /** Ends one without a warning: the application's process, or its CometBFT. The other of the two follows. */
  async kill(validator: Validator, which: "application" | "engine"): Promise<void> {
    const child = validator.process;
    if (child?.pid === undefined) throw new Error(`${validator.home} does not run`);
    const engine = this.enginePid(validator);
    const gone = once(child, "exit");
    process.kill(which === "application" ? child.pid : engine, "SIGKILL");
    await gone;
    await until(() => !isAlive(engine));
    validator.process = undefined;
  }

  /** Process id of a validator's CometBFT. */
  enginePid(validator: Validator): number {
    const found = readdirSync("/proc")
      .filter((name) => /^\d+$/.test(name))
      .find((pid) => {
        const command = commandOf(pid);
        return command[0]?.endsWith("/cometbft") === true && command.includes(join(validator.home, "cometbft"));
      });
    if (found === undefined) throw new Error(`CometBFT of ${validator.home} does not run`);
    return Number(found);
  }

  /** Of the last block that this one has. `undefined`: it does not answer. */
  async height(validator: Validator): Promise<bigint | undefined> {
    try {
      const response = await fetch(`${validator.rpcUrl}/status`, { signal: AbortSignal.timeout(5_000) });
      return Status.parse(await response.json()).result.sync_info.latest_block_height;
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
  }
}

function commandOf(pid: string): readonly string[] {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, "utf8").split("\0");
  } catch {
    return [];
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setTimeout(resolve, 25));
}
