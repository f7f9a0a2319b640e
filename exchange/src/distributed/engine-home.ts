import { execFile } from "node:child_process";
import { copyFileSync, existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { toBech32 } from "@cosmjs/encoding";
import type { Genesis, PasswordSource } from "@dcx/protocol";
import { Genesis as GenesisCodec, isEncryptedFile, readKeyFileText } from "@dcx/protocol";
import { z } from "zod";
import { applicationVersion } from "../application/application";
import { consensusAddressOf } from "../consensus-key";
import { writeFileDurably } from "../node/durable-file";
import { consensusKeyFile, createEncryptedConsensusKey, publicKeyIn } from "./consensus-key-file";
import { engineEnvironment } from "./engine-environment";

const run = promisify(execFile);

/** A validator as a genesis names it. */
export interface GenesisValidator {
  /** ed25519, 32 bytes in base64. */
  readonly publicKey: string;
  readonly power: bigint;
  /** For people. */
  readonly name: string;
  /** The account that owns its stake, and can edit it, take it out of jail and take the stake back. Default: nobody. */
  readonly operator?: string;
}

/** What others have to know of a node to reach it and to let it validate. */
export interface NodeIdentity {
  /** CometBFT's id of the node in its peer network: 40 hexadecimal digits. */
  readonly nodeId: string;
  /** Of the key with which it signs blocks where a genesis makes it a validator: ed25519, base64. */
  readonly validatorKey: string;
}

/** For how many blocks it counts that a validator signed twice: so many a node has to keep. */
export const evidenceBlocks = 100_000n;

/** Where the engine of a node in `home` keeps its files. */
export function engineHome(home: string): string {
  return join(home, "cometbft");
}

/** Whether `home` belongs to a node that runs under CometBFT. */
export function isDistributed(home: string): boolean {
  return existsSync(consensusKeyFile(engineHome(home)));
}

/**
 * Makes the folder of a node under CometBFT: its keys, and the engine's own commented config.toml. What is there
 * already stays.
 * @param cometbft path of the `cometbft` command
 * @param password with which the key that signs blocks is encrypted, or was; absent: it is in clear
 */
export async function initializeEngine(
  home: string,
  cometbft: string,
  password?: PasswordSource,
): Promise<NodeIdentity> {
  const engine = engineHome(home);
  const path = consensusKeyFile(engine);
  const isNew = !existsSync(path);
  const secret = password === undefined ? undefined : await password();
  if (isNew && secret !== undefined) await createEncryptedConsensusKey(engine, secret);
  if (isEncryptedFile(path)) await initializeBeside(engine, cometbft);
  else await cometbftCommand(cometbft, ["init", "--home", engine]);
  const { stdout } = await cometbftCommand(cometbft, ["show-node-id", "--home", engine]);
  const validatorKey = publicKeyIn(await readKeyFileText(path, () => secret), path);
  return { nodeId: stdout.trim(), validatorKey };
}

/** What an engine has beside its key, for one that can't read that: made elsewhere, with a key that nobody keeps. */
async function initializeBeside(engine: string, cometbft: string): Promise<void> {
  const beside = mkdtempSync(join(tmpdir(), "dcx-init-"));
  try {
    await cometbftCommand(cometbft, ["init", "--home", beside]);
    for (const name of ["config.toml", "node_key.json", "genesis.json"]) {
      const path = join(engine, "config", name);
      if (!existsSync(path)) copyFileSync(join(beside, "config", name), path);
    }
  } finally {
    rmSync(beside, { recursive: true, force: true });
  }
}

async function cometbftCommand(cometbft: string, command: readonly string[]) {
  try {
    return await run(cometbft, [...command], { env: engineEnvironment({}) });
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new Error(`\`${cometbft} ${command.join(" ")}\` failed: ${reason}`, { cause: error });
  }
}

/**
 * The application's genesis with these validators, each with as much stake as gives it its power. Where stake elects
 * nobody (`maxValidators` 0) they are the engine's alone, for good.
 */
export function withValidators(appState: Genesis, validators: readonly GenesisValidator[]): Genesis {
  const { maxValidators, powerReduction } = appState.parameters ?? { maxValidators: 0, powerReduction: 0n };
  if (maxValidators === 0) return appState;
  const staked = validators.map(({ publicKey, power, name, operator }) => {
    const consensusKey = Buffer.from(publicKey, "base64");
    // Nobody has a key to an account of this address: it is made from the key that signs blocks.
    const nobody = () => toBech32(appState.addressPrefix, consensusAddressOf(consensusKey));
    return { operator: operator ?? nobody(), consensusKey, moniker: name, stake: power * powerReduction };
  });
  return { ...appState, validators: staked };
}

/**
 * The genesis.json of a chain under CometBFT. A block's bounds in bytes and gas are not the engine's but the
 * application's own (`abci/answer`), so here they are unlimited.
 * @param time when the chain begins: validators wait for it
 */
export function distributedGenesis(
  appState: Genesis,
  validators: readonly GenesisValidator[],
  time: Date,
): Readonly<Record<string, unknown>> {
  if (validators.length === 0) throw new Error("a chain needs at least one validator");
  return {
    genesis_time: time.toISOString(),
    chain_id: appState.chainId,
    initial_height: "1",
    consensus_params: {
      block: { max_bytes: "-1", max_gas: "-1" },
      evidence: {
        max_age_num_blocks: evidenceBlocks.toString(),
        max_age_duration: "172800000000000",
        max_bytes: "1048576",
      },
      validator: { pub_key_types: ["ed25519"] },
      version: { app: applicationVersion.toString() },
      abci: { vote_extensions_enable_height: "0" },
    },
    validators: validators.map(({ publicKey, power, name }) => ({
      pub_key: { type: "tendermint/PubKeyEd25519", value: publicKey },
      power: power.toString(),
      name,
    })),
    app_hash: "",
    app_state: GenesisCodec.toJSON(withValidators(appState, validators)),
  };
}

/** Gives the engine of a node its genesis, in place of any other. @throws when the node has begun a chain already */
export function installGenesis(home: string, genesis: Readonly<Record<string, unknown>>): void {
  if (existsSync(join(home, "state"))) {
    throw new Error(`${home} holds a chain already: its genesis can't change; begin in another folder`);
  }
  const path = join(engineHome(home), "config", "genesis.json");
  writeFileDurably(path, `${JSON.stringify(genesis, undefined, 2)}\n`, 0o644);
}

/** What `dcx` reads of an engine's genesis. @throws when the node has none, or none of dcx */
export function readEngineGenesis(home: string): Genesis {
  const path = join(engineHome(home), "config", "genesis.json");
  const schema = z.looseObject({ chain_id: z.string(), app_state: z.record(z.string(), z.unknown()) });
  try {
    return GenesisCodec.fromJSON(schema.parse(JSON.parse(readFileSync(path, "utf8"))).app_state);
  } catch (error) {
    throw new Error(`${path} is no genesis of an exchange: put the one that all its validators share there`, {
      cause: error,
    });
  }
}
