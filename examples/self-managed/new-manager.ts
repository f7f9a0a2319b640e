import { randomBytes } from "node:crypto";
import {
  ExchangeQueryClient,
  embeddedPaths,
  formatTokens,
  messages,
  parseTokens,
  readEmbeddedNetwork,
  readKeyFile,
  SigningExchangeClient,
  signerFromPrivateKey,
} from "@dcx/protocol";

/**
 * Makes an account for a management workload and sends it some tokens for its fees, from the account of DCX_KEY_FILE
 * on the exchange at DCX_ENDPOINTS; where they are not set, from the embedded network's own. Prints JSON:
 *
 *     node new-manager.js 1 > manager.json
 */
async function main([tokens = "1"]: readonly string[]): Promise<void> {
  const paths = embeddedPaths(process.env);
  const endpoints = process.env["DCX_ENDPOINTS"]?.split(",") ?? [readEmbeddedNetwork(paths)?.rpcUrl ?? ""];
  const { privateKey } = readKeyFile(process.env["DCX_KEY_FILE"] ?? paths.tenantKey);
  const key = randomBytes(32).toString("hex");
  const { address } = await signerFromPrivateKey(key);
  using query = await ExchangeQueryClient.connect(endpoints);
  const { denomination } = await query.parameters();
  const tenant = await SigningExchangeClient.connect(query, await signerFromPrivateKey(privateKey));
  const amount = parseTokens(tokens);
  await tenant.submit([messages.send(tenant.address, address, amount, denomination)]);
  console.log(JSON.stringify({ address, privateKey: key, tokens: formatTokens(amount) }));
}

main(process.argv.slice(2)).catch((error: unknown) => {
  console.error(String(error));
  process.exit(1);
});
