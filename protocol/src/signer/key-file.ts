import { readFileSync } from "node:fs";
import { SignerFailed } from "../client/errors";
import { KeyFile } from "../network/embedded";
import { passwordIdentity, passwordRecipient } from "./age-password";
import { type KeyMaterial, parseKeyMaterial } from "./key-material";

/**
 * Key files. In clear: the JSON of `KeyFile`, a mnemonic, or 64 hexadecimal digits. Encrypted: any of these in an age
 * file (https://age-encryption.org/v1, armored or not), by a password or to an X25519 identity, as the `age` command
 * makes and reads them too.
 */
export interface KeyFileContent {
  readonly material: KeyMaterial;
  /** As the file says it; to compare with what the key makes. */
  readonly address: string | undefined;
}

/** How a password is found when a file turns out to be encrypted. `undefined`: there is none. */
export type PasswordSource = () => string | undefined | Promise<string | undefined>;

const identityPrefix = "AGE-SECRET-KEY-";

/** Throws SignerFailed, which says what to do. Its message never holds what the file or the password is. */
export async function readKeyFileContent(path: string, password: PasswordSource): Promise<KeyFileContent> {
  return parseContent(await readKeyFileText(path, password), path);
}

/** What a key file holds, in clear. Throws SignerFailed, whose message never holds what the file or the password is. */
export async function readKeyFileText(path: string, password: PasswordSource): Promise<string> {
  const bytes = readBytes(path);
  return isEncrypted(bytes) ? decrypted(path, bytes, password) : bytes.toString("utf8");
}

/** Whether these are the bytes of an age file. */
export function isEncrypted(bytes: Uint8Array): boolean {
  const start = Buffer.from(bytes.subarray(0, 40)).toString("latin1").trimStart();
  return start.startsWith("age-encryption.org/") || start.startsWith("-----BEGIN AGE ENCRYPTED FILE-----");
}

/** Whether there is an age file at this path. */
export function isEncryptedFile(path: string): boolean {
  try {
    return isEncrypted(readFileSync(path));
  } catch {
    return false;
  }
}

/** An armored age file of a key, by a password of at least 8 characters or to the recipient of an age identity. */
export async function encryptKeyFile(file: KeyFile | string, password: string): Promise<string> {
  const { armor, Encrypter, identityToRecipient } = await import("age-encryption");
  const encrypter = new Encrypter();
  if (password.startsWith(identityPrefix)) {
    encrypter.addRecipient(await identityToRecipient(password));
  } else {
    if (password.length < 8) throw new SignerFailed("The password of a key file needs at least 8 characters.");
    encrypter.addRecipient(passwordRecipient(password));
  }
  const text = typeof file === "string" ? file : JSON.stringify(file, undefined, 2);
  return armor.encode(await encrypter.encrypt(`${text}\n`));
}

async function decrypted(path: string, bytes: Buffer, source: PasswordSource): Promise<string> {
  const password = (await source())?.trim();
  if (password === undefined || password === "") {
    throw new SignerFailed(
      `The key file ${path} is encrypted, and there is no password for it: set \`keyFilePassword\` (as a secret) or ` +
        "`keyFilePasswordCommand`, or DCX_KEY_FILE_PASSWORD in the environment.",
    );
  }
  const { armor, Decrypter } = await import("age-encryption");
  const decrypter = new Decrypter();
  try {
    decrypter.addIdentity(password.startsWith(identityPrefix) ? password : passwordIdentity(password));
    const text = bytes.toString("latin1").trim();
    const file = text.startsWith("-----BEGIN") ? armor.decode(text) : Uint8Array.from(bytes);
    return await decrypter.decrypt(file, "text");
  } catch {
    // What the library says may be about either; neither of its causes is worth more than this.
    throw new SignerFailed(
      `The key file ${path} can't be decrypted: the password is not its password, or the file is damaged.`,
    );
  }
}

function parseContent(text: string, path: string): KeyFileContent {
  const material = parseKeyMaterial(text);
  if (material !== undefined) return { material, address: undefined };
  const { data } = KeyFile.safeParse(parseJson(text));
  if (data === undefined) {
    throw new SignerFailed(
      `${path} is no key file: it needs a JSON object with "address" and a "privateKey" of 64 hexadecimal digits, ` +
        "the digits alone, or the words of a mnemonic. `dcx keys new --file` makes one.",
    );
  }
  return { material: { kind: "privateKey", privateKey: data.privateKey }, address: data.address };
}

function readBytes(path: string): Buffer {
  try {
    return readFileSync(path);
  } catch (error) {
    const why = isMissing(error) ? "there is none" : String(error);
    throw new SignerFailed(`The key file ${path} can't be read: ${why}. \`dcx keys new --file\` makes one.`, {
      cause: error,
    });
  }
}

function isMissing(error: unknown): boolean {
  return typeof error === "object" && error !== null && "code" in error && error.code === "ENOENT";
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
