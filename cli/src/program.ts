import { Command } from "commander";
import { datacenterCommand } from "./commands/datacenter";
import { eventsCommand } from "./commands/events";
import { execCommand } from "./commands/exec";
import { feesCommand } from "./commands/fees";
import { genesisCommand } from "./commands/genesis";
import { governanceCommand } from "./commands/governance";
import { keysCommand } from "./commands/keys";
import { logsCommand } from "./commands/logs";
import { lookCommands } from "./commands/look";
import { networkCommand } from "./commands/network";
import { nodeCommand } from "./commands/node";
import { planCommand } from "./commands/plan";
import { queryCommand } from "./commands/query";
import { stakeCommand } from "./commands/stake";
import { statusCommand } from "./commands/status";
import { version } from "./version";

/** Shown in help; `main` puts the real one, which is loaded only when it is asked for, in its place. */
function completeCommand(): Command {
  return new Command("complete")
    .description("print a script that completes commands in a shell: source <(dcx complete bash)")
    .argument("<shell>", "bash, zsh, fish or powershell");
}

/** The tree of all `dcx` commands, with nothing parsed yet. Ends by throwing a CommanderError, never the process. */
export function dcxProgram({ completion = true }: { readonly completion?: boolean } = {}): Command {
  const program = new Command("dcx")
    .description("Deploy to decentralized cloud exchanges: run a network, a node or a datacenter, and look at them.")
    .version(version)
    .configureHelp({ showGlobalOptions: true })
    .exitOverride();
  for (const command of [
    networkCommand(),
    ...lookCommands(),
    planCommand(),
    statusCommand(),
    logsCommand(),
    eventsCommand(),
    execCommand(),
    queryCommand(),
    keysCommand(),
    feesCommand(),
    stakeCommand(),
    governanceCommand(),
    nodeCommand(),
    genesisCommand(),
    datacenterCommand(),
    ...(completion ? [completeCommand()] : []),
  ]) {
    program.addCommand(inheritExit(command));
  }
  return program;
}

/** Subcommands made apart from the program do not inherit its way of ending. */
function inheritExit(command: Command): Command {
  command.exitOverride();
  command.commands.forEach(inheritExit);
  return command;
}
