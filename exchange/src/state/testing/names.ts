import { createHash } from "node:crypto";
import { toBech32 } from "@cosmjs/encoding";
import { secp256k1 } from "@noble/curves/secp256k1.js";

/** The secret key of whoever has that name. */
export function keyOf(name: string): Uint8Array {
  return bytesOf(name);
}

const publicKeys = new Map<string, Uint8Array>();

export function publicKeyOf(name: string): Uint8Array {
  const publicKey = publicKeys.get(name) ?? secp256k1.getPublicKey(keyOf(name), true);
  publicKeys.set(name, publicKey);
  return publicKey;
}

const addresses = new Map<string, string>();

export function addressOf(name: string): string {
  const known = addresses.get(name);
  if (known !== undefined) return known;
  const hash = createHash("sha256").update(publicKeyOf(name)).digest();
  const address = toBech32("dcx", createHash("ripemd160").update(hash).digest());
  addresses.set(name, address);
  return address;
}

/** 32 bytes that a word stands for. */
export function bytesOf(word: string): Uint8Array {
  return new Uint8Array(createHash("sha256").update(word).digest());
}

/** The key with which whoever has that name signs blocks. */
export function consensusKeyOf(name: string): Uint8Array {
  return bytesOf(`${name} signs blocks`);
}
