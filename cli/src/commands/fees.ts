import { formatTokens, grantAllowanceMessage, parseTokens, revokeAllowanceMessage } from "@dcx/protocol";
import { Command } from "commander";
import { type ConnectionOptions, connect, endpointOption, keyFileOption } from "../connection/exchange";
import { submitMessage } from "../connection/submit";
import { toJson, toTable } from "../output/print";

/** `dcx fees`: who pays whose fees. */
export function feesCommand(): Command {
  const fees = new Command("fees").description("let your account pay the fees of another, such as a pipeline's");
  const command = (name: string, description: string): Command =>
    fees.command(name).description(description).addOption(endpointOption()).addOption(keyFileOption());

  command("grant", "pay the fees of an account")
    .argument("<account>", "its address")
    .option("--limit <tokens>", "so much in all; without it there is no limit")
    .option(
      "--message <type...>",
      "only for transactions of these messages, such as /dcx.exchange.v1.MsgUpdateDeployment",
    )
    .action(async (account: string, options: GrantOptions) => {
      await submitMessage(options, (_client, address, denomination) => {
        const limit = options.limit === undefined ? undefined : parseTokens(options.limit);
        const grant = { granter: address, grantee: account, limit, messages: options.message };
        return grantAllowanceMessage(grant, denomination);
      });
    });

  command("revoke", "pay the fees of an account no more")
    .argument("<account>", "its address")
    .action(async (account: string, options: ConnectionOptions) => {
      await submitMessage(options, (_client, address) => revokeAllowanceMessage(address, account));
    });

  command("grants", "who pays the fees of an account")
    .argument("<account>", "its address")
    .option("--json", "print the result for programs")
    .action(async (account: string, options: ConnectionOptions & { readonly json?: true }) => {
      using client = await connect(options);
      const grants = await client.feeGrants(account);
      const table = () =>
        toTable(
          grants,
          [
            { title: "paid by", value: ({ granter }) => granter },
            {
              title: "left",
              value: ({ limit }) => (limit === undefined ? "no limit" : formatTokens(limit)),
              align: "right",
            },
            { title: "for", value: ({ messages }) => messages?.join(" ") ?? "everything" },
          ],
          `nobody pays the fees of ${account}`,
        );
      process.stdout.write(`${options.json ? toJson(grants) : table()}\n`);
    });

  return fees;
}

type GrantOptions = ConnectionOptions & { readonly limit?: string; readonly message?: readonly string[] };
