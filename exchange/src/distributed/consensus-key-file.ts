import { generateKeyPairSync, randomUUID } from "node:crypto";
import { closeSync, existsSync, mkdirSync, openSync, readFileSync, unlinkSync, writeSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { encryptKeyFile, isEncrypted, type PasswordSource, readKeyFileText } from "@dcx/protocol";
import { z } from "zod";
import { consensusAddressOf } from "../consensus-key";
import { writeFileDurably } from "../node/durable-file";

/** Of CometBFT's priv_validator_key.json, whose text may be encrypted as a whole: as an age file, by a password. */
const keyFile = z.object({ pub_key: z.object({ type: z.literal("tendermint/PubKeyEd25519"), value: z.base64() }) });
/** Of a key that has signed nothing yet, as CometBFT keeps it. */
const nothingSigned = { height: "0", round: 0, step: 0 };
const base64 = (bytes: Uint8Array) => Buffer.from(bytes).toString("base64");

/** Where the key is that signs a node's blocks, by the folder of its engine. */
export function consensusKeyFile(engine: string): string {
  return join(engine, "config", "priv_validator_key.json");
}

/**
 * Makes a key that signs blocks where there is none, and writes it encrypted: it is on no disk in clear.
 * @param engine folder of the engine
 */
export async function createEncryptedConsensusKey(engine: string, password: string): Promise<void> {
  const { privateKey, publicKey } = generateKeyPairSync("ed25519");
  // The last 32 bytes of either are the key itself; CometBFT keeps the two behind one another.
  const secret = privateKey.export({ type: "pkcs8", format: "der" }).subarray(-32);
  const key = publicKey.export({ type: "spki", format: "der" }).subarray(-32);
  const document = {
    address: Buffer.from(consensusAddressOf(key)).toString("hex").toUpperCase(),
    pub_key: { type: "tendermint/PubKeyEd25519", value: base64(key) },
    priv_key: { type: "tendermint/PrivKeyEd25519", value: base64(Buffer.concat([secret, key])) },
  };
  for (const folder of ["config", "data"]) mkdirSync(join(engine, folder), { recursive: true, mode: 0o700 });
  const text = await encryptKeyFile(JSON.stringify(document, undefined, 2), password);
  writeFileDurably(join(engine, "data", "priv_validator_state.json"), JSON.stringify(nothingSigned), 0o600);
  writeFileDurably(consensusKeyFile(engine), text, 0o600);
}

/**
 * Encrypts a key that is there in clear, in its place. The disk may keep the blocks that held the clear one.
 * @throws where it is encrypted already
 */
export async function encryptConsensusKey(engine: string, password: string): Promise<void> {
  const path = consensusKeyFile(engine);
  const bytes = readFileSync(path);
  if (isEncrypted(bytes)) throw new Error(`${path} is encrypted already`);
  publicKeyIn(bytes.toString("utf8"), path);
  writeFileDurably(path, await encryptKeyFile(bytes.toString("utf8").trim(), password), 0o600);
}

/** Text of a node's encrypted key, in clear. `undefined`: the engine can read the file itself. @throws SignerFailed */
export async function decryptConsensusKey(engine: string, password: PasswordSource): Promise<string | undefined> {
  const path = consensusKeyFile(engine);
  if (!existsSync(path) || !isEncrypted(readFileSync(path))) return undefined;
  const text = await readKeyFileText(path, password);
  publicKeyIn(text, path);
  return text;
}

/** The public key of a key file's text, in base64. @throws where it holds none of the kind that dcx needs */
export function publicKeyIn(text: string, path: string): string {
  try {
    return keyFile.parse(JSON.parse(text)).pub_key.value;
  } catch {
    // What a parser says may quote what it read.
    throw new Error(`${path} does not hold an ed25519 validator key: dcx needs one of that kind`);
  }
}

/**
 * An open file with that text and without a name, in memory where the system has a place for that: for a child that
 * inherits it and whoever may read the memory of either.
 */
export function namelessFile(text: string): number {
  const path = join(existsSync("/dev/shm") ? "/dev/shm" : tmpdir(), `dcx-${randomUUID()}`);
  const file = openSync(path, "wx+", 0o600);
  try {
    unlinkSync(path);
    writeSync(file, text, 0);
    return file;
  } catch (error) {
    closeSync(file);
    throw error;
  }
}
