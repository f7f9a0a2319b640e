import {
  type AccountSigner,
  type ExchangeQueryClient,
  embeddedPaths,
  openSigner,
  readKeyFile,
  type SignerChoice,
} from "@dcx/protocol";
import { Reader, resolveSigner, variableOf } from "@dcx/provider";
import { CommandFailure } from "../output/failure";
import { askHidden } from "../output/hidden";

/** Who signs, as the provider would have it: the named key file, else what the environment says. */
export interface SignerOptions {
  readonly keyFile?: string;
}

/** `undefined`: nobody was named. Throws CommandFailure with what is wrong. */
function signerChoice(options: SignerOptions): SignerChoice | undefined {
  const inputs = options.keyFile === undefined ? {} : { keyFile: options.keyFile };
  const reader = new Reader(inputs, process.env);
  const choice = resolveSigner(reader);
  if (reader.problems.length > 0) {
    const problems = reader.problems.map(({ setting, reason }) => `${setting}: ${reason}`);
    throw new CommandFailure(`${problems.join("\n")}\n(${variableOf("keyFile")} and others: docs/configuration.md)`, 2);
  }
  return choice;
}

/** The account that this user deploys as: the one that was named, else the embedded network's tenant. */
export async function tenantSigner(options: SignerOptions, addressPrefix: string): Promise<AccountSigner> {
  const choice = signerChoice(options) ?? embeddedTenant();
  return openSigner(await withPassword(choice), { addressPrefix, environment: process.env });
}

/**
 * The address of that tenant, or undefined where nobody was named and there is no embedded network. A key in clear is
 * not needed for it where a file says its address.
 */
export async function tenantAddress(options: SignerOptions, client: ExchangeQueryClient): Promise<string | undefined> {
  if (signerChoice(options) === undefined && embeddedAddress() === undefined) {
    return undefined;
  }
  return (await tenantSigner(options, (await client.parameters()).addressPrefix)).address;
}

/** A key file's password is asked for on a terminal where nothing else says it. */
async function withPassword(choice: SignerChoice): Promise<SignerChoice> {
  if (choice.kind !== "keyFile" || choice.password !== undefined || choice.passwordCommand !== undefined) {
    return choice;
  }
  const { isEncryptedFile } = await import("@dcx/protocol");
  if (!isEncryptedFile(choice.path) || !process.stdin.isTTY) {
    return choice;
  }
  return { ...choice, password: await askHidden(`Password of ${choice.path}: `) };
}

function embeddedTenant(): SignerChoice {
  return { kind: "privateKey", privateKey: readKeyFile(embeddedPaths(process.env).tenantKey).privateKey };
}

function embeddedAddress(): string | undefined {
  try {
    return readKeyFile(embeddedPaths(process.env).tenantKey).address;
  } catch {
    return undefined;
  }
}
