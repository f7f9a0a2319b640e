import type { AccountSigner, KeyFile } from "@dcx/protocol";
import {
  ExchangeQueryClient,
  embeddedPaths,
  readEmbeddedNetwork,
  readKeyFile,
  signerFromMnemonic,
  signerFromPrivateKey,
} from "@dcx/protocol";
import { Option } from "commander";
import { CommandFailure } from "../output/failure";

/** Where a command that looks at an exchange finds it. */
export interface ConnectionOptions {
  readonly endpoint?: readonly string[];
  readonly keyFile?: string;
}

export const endpointOption = (): Option =>
  new Option("--endpoint <url...>", "nodes of the exchange (CometBFT JSON-RPC), tried in this order").env(
    "DCX_ENDPOINTS",
  );

export const keyFileOption = (): Option =>
  new Option("--key-file <file>", "the tenant's key file; default: the embedded network's").env("DCX_KEY_FILE");

/** Connects to the endpoints that were named, else to the user's embedded network. */
export async function connect(options: ConnectionOptions): Promise<ExchangeQueryClient> {
  const named = (options.endpoint ?? []).flatMap((text) => text.split(",")).filter((url) => url !== "");
  if (named.length > 0) {
    return ExchangeQueryClient.connect(named);
  }
  const network = readEmbeddedNetwork(embeddedPaths(process.env));
  if (network === undefined) {
    throw new CommandFailure(
      "There is no embedded network here, and no other was named: start one with `dcx network start`, " +
        "or name an exchange's nodes with --endpoint or DCX_ENDPOINTS.",
    );
  }
  return ExchangeQueryClient.connect(network.rpcUrl, { chainId: network.chainId });
}

/** The tenant whose key this user holds: the one that was named, else the embedded network's. */
export async function tenantSigner(options: ConnectionOptions, addressPrefix: string): Promise<AccountSigner> {
  const mnemonic = process.env["DCX_MNEMONIC"];
  if (options.keyFile === undefined && mnemonic !== undefined && mnemonic !== "") {
    return signerFromMnemonic(mnemonic, { addressPrefix });
  }
  return signerFromPrivateKey(tenantKey(options).privateKey, { addressPrefix });
}

/** The address of that tenant, or undefined where this user holds no key. */
export function tenantAddress(options: ConnectionOptions): string | undefined {
  try {
    return tenantKey(options).address;
  } catch {
    return undefined;
  }
}

function tenantKey(options: ConnectionOptions): KeyFile {
  return readKeyFile(options.keyFile ?? embeddedPaths(process.env).tenantKey);
}
