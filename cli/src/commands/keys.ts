import { closeSync, existsSync, fsyncSync, openSync, readFileSync, writeSync } from "node:fs";
import { text } from "node:stream/consumers";
import {
  answerSignerRequest,
  defaultAddressPrefix,
  encryptKeyFile,
  type KeyMaterial,
  parseKeyMaterial,
  readKeyFileContent,
  signerFromMaterial,
} from "@dcx/protocol";
import { Command } from "commander";
import { keyFilePassword, newPassword } from "../connection/password";
import { CommandFailure } from "../output/failure";
import { askHidden } from "../output/hidden";
import { toJson } from "../output/print";

interface FileOption {
  readonly file: string;
}
interface PrefixOption {
  readonly prefix: string;
}
interface WriteOption {
  /** False: --no-password. */
  readonly password: boolean;
}

/**
 * `dcx keys`: key files, encrypted with a password that comes from a terminal, DCX_KEY_FILE_PASSWORD or
 * DCX_KEY_FILE_PASSWORD_COMMAND. No secret is ever an argument, and none is printed but by `reveal`.
 */
export function keysCommand(): Command {
  const keys = new Command("keys").description("make, encrypt and use the key of an account");
  const file = (name: string, description: string): Command =>
    keys.command(name).description(description).requiredOption("--file <file>", "the key file");
  const prefix = ["--prefix <prefix>", "prefix of the chain's addresses", defaultAddressPrefix] as const;

  file("new", "make a key and write it to a new file, encrypted")
    .option("--no-password", "write it in clear, for its owner alone to read")
    .option(...prefix)
    .action(async (options: FileOption & PrefixOption & WriteOption) => {
      const { Bip39, Random } = await import("@cosmjs/crypto");
      const mnemonic = Bip39.encode(Random.getBytes(32)).toString();
      await writeKey(options, { kind: "mnemonic", mnemonic });
    });

  file("import", "write a key from standard input (words or 64 hexadecimal digits) to a new file, encrypted")
    .option("--no-password", "write it in clear, for its owner alone to read")
    .option(...prefix)
    .action(async (options: FileOption & PrefixOption & WriteOption) => {
      const given = process.stdin.isTTY ? await askHidden("Words or hexadecimal digits: ") : await text(process.stdin);
      const material = parseKeyMaterial(given);
      if (material === undefined) {
        throw new CommandFailure("That is no key: it needs 12 to 24 words of a mnemonic, or 64 hexadecimal digits.", 2);
      }
      await writeKey(options, material);
    });

  file("encrypt", "write the key of a file to another, encrypted; the first stays as it is")
    .requiredOption("--to <file>", "the encrypted file")
    .option(...prefix)
    .action(async (options: FileOption & PrefixOption & { readonly to: string }) => {
      const material = await readKey(options.file);
      await writeKey({ file: options.to, prefix: options.prefix, password: true }, material);
      process.stderr.write(`${options.file} still holds the key: delete it once ${options.to} is where it belongs.\n`);
    });

  file("address", "the address of a key")
    .option(...prefix)
    .option("--json", "print address and public key for programs")
    .action(async (options: FileOption & PrefixOption & { readonly json?: true }) => {
      const { address, publicKey } = await signerFromMaterial(await readKey(options.file), {
        addressPrefix: options.prefix,
      });
      const json = () => toJson({ address, publicKey: Buffer.from(publicKey).toString("base64") });
      process.stdout.write(`${options.json ? json() : address}\n`);
    });

  file("reveal", "print the secret itself, to keep it on paper")
    .option("--yes", "do it: whoever sees it has the account")
    .action(async (options: FileOption & { readonly yes?: true }) => {
      if (options.yes !== true) {
        throw new CommandFailure(
          "Nothing was printed. Say --yes to print the secret: whoever sees it has the account.",
          2,
        );
      }
      const material = await readKey(options.file);
      process.stdout.write(`${material.kind === "mnemonic" ? material.mnemonic : material.privateKey}\n`);
    });

  file("sign", "answer one request of the protocol of external signers, from standard input to standard output")
    .option("--chain <id...>", "the only chains for which transactions are signed")
    .action(async (options: FileOption & { readonly chain?: readonly string[] }) => {
      const request: unknown = parseJson(await text(process.stdin));
      const material = await readKey(options.file);
      const answer = refusedChain(request, options.chain) ?? {
        ...(await answerSignerRequest(request, (addressPrefix) => signerFromMaterial(material, { addressPrefix }))),
      };
      process.stdout.write(`${JSON.stringify(answer)}\n`);
    });

  return keys;
}

async function readKey(path: string): Promise<KeyMaterial> {
  return (await readKeyFileContent(path, () => keyFilePassword(path))).material;
}

/** Writes a new file and prints the address. Never over one that is there: keys have no second copy. */
async function writeKey(options: FileOption & PrefixOption & WriteOption, material: KeyMaterial): Promise<void> {
  if (existsSync(options.file)) {
    throw new CommandFailure(`${options.file} is there already, and a key that is written over is gone. Name another.`);
  }
  const { address } = await signerFromMaterial(material, { addressPrefix: options.prefix });
  const content =
    material.kind === "mnemonic"
      ? material.mnemonic
      : JSON.stringify({ address, privateKey: material.privateKey }, undefined, 2);
  const written = options.password ? await encryptKeyFile(content, await newPassword(options.file)) : `${content}\n`;
  const created = openSync(options.file, "wx", 0o600);
  try {
    writeSync(created, written);
    fsyncSync(created);
  } finally {
    closeSync(created);
  }
  if (readFileSync(options.file, "utf8") !== written) {
    throw new CommandFailure(`${options.file} does not hold what was written to it: is the disk full?`);
  }
  process.stdout.write(`${address}\n`);
}

function refusedChain(request: unknown, chains: readonly string[] | undefined): object | undefined {
  if (chains === undefined || typeof request !== "object" || request === null || !("chainId" in request)) {
    return undefined;
  }
  const { chainId } = request;
  return chains.some((chain) => chain === chainId)
    ? undefined
    : { dcxSigner: 1, error: `this key signs for ${chains.join(" and ")} only, not for ${String(chainId)}` };
}

function parseJson(given: string): unknown {
  try {
    return JSON.parse(given);
  } catch {
    return undefined;
  }
}
