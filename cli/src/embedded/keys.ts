import { createECDH } from "node:crypto";
import { existsSync } from "node:fs";
import { DirectSecp256k1Wallet } from "@cosmjs/proto-signing";
import { type KeyFile, readKeyFile } from "@dcx/protocol";
import { writeJson } from "./files";

/** Makes a secp256k1 key and its file (mode 600), or reads the one that is there. */
export async function readOrCreateKey(path: string, addressPrefix: string): Promise<KeyFile> {
  if (existsSync(path)) {
    return readKeyFile(path);
  }
  const pair = createECDH("secp256k1");
  pair.generateKeys();
  const privateKey = pair.getPrivateKey("hex").padStart(64, "0");
  const wallet = await DirectSecp256k1Wallet.fromKey(Buffer.from(privateKey, "hex"), addressPrefix);
  const [account] = await wallet.getAccounts();
  if (account === undefined) {
    throw new Error("A wallet made from one key has no account.");
  }
  const file: KeyFile = { address: account.address, privateKey };
  writeJson(path, file);
  return file;
}
