import { Command } from "commander";
import { findDeployment } from "../connection/deployment-argument";
import { type ConnectionOptions, connect, endpointOption, keyFileOption, tenantAddress } from "../connection/exchange";
import { toJson } from "../output/print";

/** `dcx query …`: the exchange's own answers, whole, as JSON. */
export function queryCommand(): Command {
  const query = new Command("query").description("ask the exchange and print its whole answer as JSON");
  const add = (
    signature: string,
    description: string,
    ask: (
      client: Awaited<ReturnType<typeof connect>>,
      argument: string,
      options: ConnectionOptions,
    ) => Promise<unknown>,
  ): void => {
    const [name = "", argument] = signature.split(" ");
    const command = query.command(name).description(description);
    if (argument !== undefined) {
      command.argument(argument);
    }
    command
      .addOption(endpointOption())
      .addOption(keyFileOption())
      .action(async (...given: unknown[]) => {
        const options = given[argument === undefined ? 0 : 1] as ConnectionOptions;
        using client = await connect(options);
        const answer = await ask(client, argument === undefined ? "" : String(given[0] ?? ""), options);
        process.stdout.write(`${toJson(answer)}\n`);
      });
  };
  add("status", "the node's chain and height", (client) => client.status());
  add("parameters", "the exchange's parameters", (client) => client.parameters());
  add("totals", "what all tokens add up to", (client) => client.totals());
  add("account <address>", "key, sequence and balance of an account", (client, address) => client.account(address));
  add("deployment <id>", "a deployment with its orders, leases and datacenters", async (client, id, options) =>
    client.deployment(await findDeployment(client, () => tenantAddress(options, client), id)),
  );
  add("deployments", "the newest deployments", (client) => client.deployments());
  add("orders", "open orders", (client) => client.orders());
  add("leases", "active leases", (client) => client.leases());
  add("datacenters", "registered datacenters", (client) => client.datacenters());
  add("transaction <hash>", "a committed transaction", (client, hash) => client.transaction(hash));
  add("block-events <height>", "what happened in a block", (client, height) => client.blockEvents(BigInt(height)));
  return query;
}
