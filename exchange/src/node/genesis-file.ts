import { existsSync, readFileSync } from "node:fs";
import { Genesis } from "@dcx/protocol";
import { z } from "zod";
import { writeFileDurably } from "./durable-file";

/** What a chain begins with, in the form of CometBFT's genesis.json. */
export interface ChainGenesis {
  /** Milliseconds since 1970. */
  readonly time: number;
  readonly chainId: string;
  readonly appState: Genesis;
  /** The file as it is. */
  readonly document: Readonly<Record<string, unknown>>;
}

const schema = z.looseObject({
  genesis_time: z.iso.datetime(),
  chain_id: z.string().min(1),
  app_state: z.record(z.string(), z.unknown()),
});

/**
 * Reads the chain's genesis from the file, or writes the given one there on the first start.
 * @throws when there is neither, or the file is of another chain than the given one
 */
export function loadOrCreateGenesis(path: string, given: Genesis | undefined): ChainGenesis {
  if (!existsSync(path)) {
    if (given === undefined) throw new Error(`${path} does not exist and no genesis was given: give one`);
    const { parameters } = given;
    const document = {
      genesis_time: new Date().toISOString(),
      chain_id: given.chainId,
      initial_height: "1",
      consensus_params: {
        block: {
          max_bytes: (parameters?.blockMaxBytes ?? 0n).toString(),
          max_gas: (parameters?.blockMaxGas ?? 0n).toString(),
        },
        evidence: { max_age_num_blocks: "100000", max_age_duration: "172800000000000", max_bytes: "1048576" },
        validator: { pub_key_types: ["ed25519"] },
        version: { app: "1" },
        abci: { vote_extensions_enable_height: "0" },
      },
      app_hash: "",
      app_state: Genesis.toJSON(given),
    };
    writeFileDurably(path, `${JSON.stringify(document, undefined, 2)}\n`, 0o644);
  }
  let parsed: z.infer<typeof schema>;
  try {
    parsed = schema.parse(JSON.parse(readFileSync(path, "utf8")));
  } catch (error) {
    throw new Error(`${path} is no genesis: restore it, or begin a new chain in another folder`, { cause: error });
  }
  if (given !== undefined && given.chainId !== parsed.chain_id) {
    throw new Error(`${path} is of chain ${parsed.chain_id}, the given genesis of ${given.chainId}`);
  }
  return {
    time: Date.parse(parsed.genesis_time),
    chainId: parsed.chain_id,
    appState: Genesis.fromJSON(parsed.app_state),
    document: parsed,
  };
}
