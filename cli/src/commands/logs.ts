import type { LogLine } from "@dcx/protocol";
import { Command } from "commander";
import pc from "picocolors";
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

type LogsOptions = ConnectionOptions & {
  readonly follow?: true;
  readonly tail?: string;
  readonly instance?: string;
  readonly json?: true;
};

/** `dcx logs`: what a workload wrote, from the datacenters that run it, over mTLS. */
export function logsCommand(): Command {
  return new Command("logs")
    .description("what a workload's instances wrote")
    .argument("<deployment>", "<tenant>/<sequence>, or the sequence of one of yours")
    .argument("<workload>", "name of the workload")
    .option("-f, --follow", "go on as it writes more")
    .option("--tail <lines>", "only so many lines from the end")
    .option("--instance <index>", "only this instance")
    .addOption(endpointOption())
    .addOption(keyFileOption())
    .option("--json", "one JSON object a line")
    .action(async (deployment: string, workload: string, options: LogsOptions) => {
      using client = await connect(options);
      const id = await findDeployment(client, () => tenantAddress(options, client), deployment);
      const { addressPrefix } = await client.parameters();
      const signer = await tenantSigner(options, addressPrefix);
      const interrupted = new AbortController();
      void onTermination().then(() => interrupted.abort());
      const failures: string[] = [];
      let lines = 0;
      const holders = await holdersOf(client, id);
      await Promise.all(
        holders.map(async (holder) => {
          await using agent = agentOf(client, holder, signer);
          try {
            for await (const line of agent.logs(id, workload, {
              signal: interrupted.signal,
              follow: options.follow ?? false,
              ...(options.tail === undefined ? {} : { tail: Number(options.tail) }),
              ...(options.instance === undefined ? {} : { instance: Number(options.instance) }),
            })) {
              lines++;
              process.stdout.write(`${options.json ? JSON.stringify(line) : toText(line)}\n`);
            }
          } catch (error) {
            if (!interrupted.signal.aborted) {
              failures.push(error instanceof Error ? error.message : String(error));
            }
          }
        }),
      );
      // A holder that does not run this workload refuses; that matters only where none does.
      if (lines === 0 && failures.length > 0 && failures.length === holders.length) {
        throw new CommandFailure(`No log of ${workload}:\n  ${failures.join("\n  ")}`);
      }
      process.exit(process.exitCode ?? 0);
    });
}

function toText({ workload, instance, stream, time, line }: LogLine): string {
  const source = pc.cyan(`${workload}/${instance}`);
  return `${pc.dim(time)} ${source} ${stream === "stderr" ? pc.yellow(line) : line}`;
}
