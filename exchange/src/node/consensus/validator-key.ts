import { createPrivateKey, createPublicKey, generateKeyPairSync, type KeyObject, sign } from "node:crypto";
import { existsSync, readFileSync } from "node:fs";
import { z } from "zod";
import { sha256 } from "../../storage/sha256";
import { writeFileDurably } from "../durable-file";

/** The ed25519 key that signs every block of an embedded node. */
export interface ValidatorKey {
  /** 32 bytes. */
  readonly publicKey: Buffer;
  /** First 20 bytes of the public key's SHA-256. */
  readonly address: Buffer;
  sign(message: Uint8Array): Buffer;
}

const fileSchema = z.object({ type: z.literal("ed25519"), privateKey: z.base64() });

/** Reads the key from the file, or makes one there that only the user can read. @throws when the file holds no key. */
export function loadOrCreateValidatorKey(path: string): ValidatorKey {
  if (!existsSync(path)) {
    const { privateKey } = generateKeyPairSync("ed25519");
    const der = privateKey.export({ type: "pkcs8", format: "der" });
    writeFileDurably(path, `${JSON.stringify({ type: "ed25519", privateKey: der.toString("base64") })}\n`, 0o600);
  }
  let key: KeyObject;
  try {
    const file = fileSchema.parse(JSON.parse(readFileSync(path, "utf8")));
    key = createPrivateKey({ key: Buffer.from(file.privateKey, "base64"), format: "der", type: "pkcs8" });
  } catch (error) {
    throw new Error(`${path} does not hold a validator's key: put the right file there`, { cause: error });
  }
  const spki = createPublicKey(key).export({ type: "spki", format: "der" });
  const publicKey = spki.subarray(spki.length - 32);
  return { publicKey, address: sha256(publicKey).subarray(0, 20), sign: (message) => sign(null, message, key) };
}
