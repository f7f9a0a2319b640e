import { ExchangeQueryClient, embeddedPaths, readEmbeddedNetwork } from "@dcx/protocol";
import { Option } from "commander";
import { CommandFailure } from "../output/failure";

export { tenantAddress, tenantSigner } from "./signer";

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
  new Option(
    "--key-file <file>",
    "the tenant's key file; else who DCX_KEY_FILE or another setting names, or the embedded network's",
  );

/** Connects to the endpoints that were named, else to the user's embedded network. */
export async function connect(options: ConnectionOptions): Promise<ExchangeQueryClient> {
  const named = (options.endpoint ?? []).flatMap((text) => text.split(",")).filter((url) => url !== "");
  if (named.length > 0) {
    const chainId = process.env["DCX_CHAIN_ID"];
    return ExchangeQueryClient.connect(named, chainId === undefined || chainId === "" ? {} : { chainId });
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
