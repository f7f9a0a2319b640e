import { SignerFailed } from "../client/errors";
import type { AccountSigner } from "./account-signer";
import { readKeyFileContent } from "./key-file";
import { type KeyMaterial, signerFromMaterial } from "./key-material";

/** Who signs, as configured. Those with a secret in them are never printed. */
export type SignerChoice =
  | KeyMaterial
  | {
      readonly kind: "keyFile";
      readonly path: string;
      /** Of an encrypted file. */
      readonly password: string | undefined;
      /** Prints that password. */
      readonly passwordCommand: readonly string[] | undefined;
    }
  | { readonly kind: "command"; readonly command: readonly string[]; readonly timeout: number }
  | {
      readonly kind: "remote";
      readonly url: string;
      readonly token: string | undefined;
      readonly certificate: string | undefined;
      readonly certificateKey: string | undefined;
      readonly authority: string | undefined;
      readonly timeout: number;
    };

export interface OpenSignerOptions {
  readonly addressPrefix: string;
  /** Of this process: commands run with it, but for dcx's own secrets. */
  readonly environment: NodeJS.ProcessEnv;
}

/** Milliseconds in which a password command must answer: a person may have to unlock something. */
const passwordTimeout = 60_000;

/** Throws SignerFailed, or an Error where the key itself is none. */
export async function openSigner(choice: SignerChoice, options: OpenSignerOptions): Promise<AccountSigner> {
  const { addressPrefix, environment } = options;
  switch (choice.kind) {
    case "mnemonic":
    case "privateKey":
      return signerFromMaterial(choice, { addressPrefix });
    case "keyFile":
      return openKeyFile(choice, options);
    case "command": {
      const [{ ExternalSigner }, { commandTransport }] = await Promise.all([
        import("./external-signer.js"),
        import("./signer-command.js"),
      ]);
      const { command, timeout } = choice;
      return ExternalSigner.connect(commandTransport(command, { environment, timeout }), addressPrefix);
    }
    case "remote": {
      const [{ ExternalSigner }, { remoteTransport }] = await Promise.all([
        import("./external-signer.js"),
        import("./signer-remote.js"),
      ]);
      return ExternalSigner.connect(remoteTransport(choice), addressPrefix);
    }
  }
}

async function openKeyFile(
  { path, password, passwordCommand }: Extract<SignerChoice, { kind: "keyFile" }>,
  { addressPrefix, environment }: OpenSignerOptions,
): Promise<AccountSigner> {
  const { material, address } = await readKeyFileContent(path, async () => {
    if (passwordCommand === undefined) return password;
    const { passwordFromCommand } = await import("./signer-command.js");
    return passwordFromCommand(passwordCommand, { environment, timeout: passwordTimeout });
  });
  const signer = await signerFromMaterial(material, { addressPrefix });
  // The prefix is the chain's; the rest of an address is the key's.
  if (address !== undefined && dataOf(address) !== dataOf(signer.address)) {
    throw new SignerFailed(
      `The key file ${path} says it is the key of ${address}, and its key is that of ${signer.address}: it was changed by hand.`,
    );
  }
  return signer;
}

/** Without the prefix and the checksum, which covers it. */
function dataOf(address: string): string {
  return address.slice(address.lastIndexOf("1") + 1, -6);
}
