import { AgentRefused, type ExecStart, type RemoteExecution } from "@dcx/protocol";
import { Command } from "commander";
import { findDeployment } from "../connection/deployment-argument";
import {
  type ConnectionOptions,
  connect,
  endpointOption,
  keyFileOption,
  tenantAddress,
  tenantSigner,
} from "../connection/exchange";
import { agentOf, holdersOf } from "../connection/holders";
import { CommandFailure } from "../output/failure";
import { onTermination } from "../processes/termination";

type ExecOptions = ConnectionOptions & {
  readonly instance?: string;
  /** False with `--no-tty`. */
  readonly tty: boolean;
};

/** `dcx exec`: a command in an instance of a workload, in the datacenter that runs it, over mTLS. */
export function execCommand(): Command {
  return new Command("exec")
    .description("run a command in an instance of a workload; ends with its exit code")
    .argument("<deployment>", "<tenant>/<sequence>, or the sequence of one of yours")
    .argument("<workload>", "name of the workload")
    .argument("<command...>", "the program and its arguments, after --")
    .option("--instance <index>", "in this instance; default: the first that runs")
    .option("--no-tty", "no terminal for the command, also where there is one here")
    .addOption(endpointOption())
    .addOption(keyFileOption())
    .action(async (deployment: string, workload: string, command: string[], options: ExecOptions) => {
      using client = await connect(options);
      const id = await findDeployment(client, () => tenantAddress(options, client), deployment);
      const { addressPrefix } = await client.parameters();
      const signer = await tenantSigner(options, addressPrefix);
      const start: ExecStart = {
        command,
        ...(options.instance === undefined ? {} : { instance: Number(options.instance) }),
        ...terminalOf(options.tty),
      };
      const failures: string[] = [];
      for (const holder of await holdersOf(client, id)) {
        await using agent = agentOf(client, holder, signer, "exec");
        let execution: RemoteExecution;
        try {
          execution = await agent.exec(id, workload, start);
        } catch (error) {
          failures.push(error instanceof Error ? error.message : String(error));
          // Another holder may run it; of an agent that does not answer that isn't known.
          if (error instanceof AgentRefused && error.refusal !== "no-such-workload") break;
          continue;
        }
        process.exitCode = await attend(execution, start.terminal !== undefined);
        // What it read from may never end.
        process.stdin.destroy();
        return;
      }
      throw new CommandFailure(
        `Nothing was run in ${workload}:\n  ${failures.join("\n  ") || "no datacenter holds it"}`,
      );
    });
}

/** A terminal for the command where both ends of this one are. */
function terminalOf(wanted: boolean): Pick<ExecStart, "terminal"> {
  const { stdin, stdout } = process;
  if (!wanted || !stdin.isTTY || !stdout.isTTY) return {};
  return { terminal: { columns: stdout.columns, rows: stdout.rows, type: process.env["TERM"] ?? "xterm" } };
}

/** Joins a command with this process until it ends. Resolves to its exit code. */
async function attend(execution: RemoteExecution, terminal: boolean): Promise<number> {
  const { stdin, stdout, stderr } = process;
  const resize = (): void => execution.resize({ columns: stdout.columns, rows: stdout.rows });
  if (terminal) {
    stdin.setRawMode(true);
    stdout.on("resize", resize);
  } else {
    void onTermination().then(() => execution.close());
  }
  // It may end before it has read all.
  execution.stdin.on("error", () => undefined);
  stdin.pipe(execution.stdin);
  execution.stdout.pipe(stdout, { end: false });
  execution.stderr.pipe(stderr, { end: false });
  try {
    return await execution.exited;
  } finally {
    if (terminal) {
      stdin.setRawMode(false);
      stdout.off("resize", resize);
    }
    stdin.unpipe(execution.stdin);
  }
}
