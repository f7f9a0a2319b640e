import { Command, CommanderError } from "commander";
import pc from "picocolors";
import { datacenterCommand } from "./commands/datacenter";
import { logsCommand } from "./commands/logs";
import { lookCommands } from "./commands/look";
import { networkCommand } from "./commands/network";
import { nodeCommand } from "./commands/node";
import { queryCommand } from "./commands/query";
import { statusCommand } from "./commands/status";
import { version } from "./version";

/** The `dcx` command. Exit codes: 0 done, 1 failed, 2 asked wrongly. */
async function main(): Promise<void> {
  const program = new Command("dcx")
    .description("Deploy to decentralized cloud exchanges: run a network, a node or a datacenter, and look at them.")
    .version(version)
    .configureHelp({ showGlobalOptions: true })
    .exitOverride();
  for (const command of [
    networkCommand(),
    ...lookCommands(),
    statusCommand(),
    logsCommand(),
    queryCommand(),
    nodeCommand(),
    datacenterCommand(),
  ]) {
    program.addCommand(inheritExit(command));
  }
  await program.parseAsync(process.argv);
}

/** Subcommands made apart from the program do not inherit its way of ending. */
function inheritExit(command: Command): Command {
  command.exitOverride();
  command.commands.forEach(inheritExit);
  return command;
}

main().then(
  () => undefined,
  (error: unknown) => {
    if (error instanceof CommanderError) {
      process.exitCode = error.exitCode === 0 ? 0 : 2;
      return;
    }
    const message = error instanceof Error ? error.message : String(error);
    process.stderr.write(`${pc.red("error:")} ${message}\n`);
    if (process.env["DCX_DEBUG"] && error instanceof Error) {
      process.stderr.write(`${error.stack}\n`);
    }
    process.exitCode = error instanceof Error && "exitCode" in error ? Number(error.exitCode) : 1;
  },
);
