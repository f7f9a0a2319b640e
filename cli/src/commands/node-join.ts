import { existsSync } from "node:fs";
import { join } from "node:path";
import { isEncryptedFile, type PasswordSource } from "@dcx/protocol";
import { z } from "zod";
import { keyFilePassword, newPassword } from "../connection/password";
import { CommandFailure } from "../output/failure";

type GenesisDocument = Readonly<Record<string, unknown>>;

const answer = z.object({ result: z.object({ genesis: z.record(z.string(), z.unknown()) }) });
/** Milliseconds that a node has to give its genesis. */
const patience = 60_000;

export interface ConsensusKeyOptions {
  readonly home: string;
  /** Whether a new key is encrypted. */
  readonly password: boolean;
}

/** Asks for the password of the key that signs a node's blocks: a new one, or that of the encrypted one there is. */
export async function consensusKeyPassword(options: ConsensusKeyOptions): Promise<PasswordSource | undefined> {
  const { consensusKeyFile, engineHome } = await import("@dcx/exchange");
  const path = consensusKeyFile(engineHome(options.home));
  if (existsSync(path)) return isEncryptedFile(path) ? () => keyFilePassword(path) : undefined;
  return options.password ? () => newPassword(path) : undefined;
}

/**
 * Makes the folder of a node under CometBFT with the genesis of a chain. One that holds a chain already is left alone.
 * @throws CommandFailure for the folder of an embedded node
 */
export async function prepareToJoin(
  options: ConsensusKeyOptions & { readonly cometbft: string },
  genesis: () => Promise<GenesisDocument>,
): Promise<void> {
  const { home, cometbft } = options;
  const { initializeEngine, installGenesis, isDistributed } = await import("@dcx/exchange");
  if (existsSync(join(home, "state"))) {
    if (isDistributed(home)) return;
    throw new CommandFailure(`${home} holds an embedded chain: say another --home.`, 2);
  }
  // First, so that nothing is made where there is none.
  const document = await genesis();
  await initializeEngine(home, cometbft, await consensusKeyPassword(options));
  installGenesis(home, document);
}

/** Of a node, by its JSON-RPC: it is believed, so it is one of yours. @throws CommandFailure */
export async function fetchGenesis(url: string): Promise<GenesisDocument> {
  try {
    const response = await fetch(`${url.replace(/\/+$/, "")}/genesis`, { signal: AbortSignal.timeout(patience) });
    return answer.parse(await response.json()).result.genesis;
  } catch {
    throw new CommandFailure(`${url} gives no genesis: say the JSON-RPC of a node, or the file as --genesis.`, 2);
  }
}
