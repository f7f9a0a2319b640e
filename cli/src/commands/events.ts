import type { WorkloadEvent } from "@dcx/protocol";
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

type EventsOptions = ConnectionOptions & { readonly follow?: true; readonly json?: true };

/** `dcx events`: what happened to a deployment's instances, from the datacenters that run them. */
export function eventsCommand(): Command {
  return new Command("events")
    .description("what happened to a deployment's instances: started, ready, exited and why, removed")
    .argument("<deployment>", "<tenant>/<sequence>, or the sequence of one of yours")
    .argument("[workload]", "only of this one")
    .option("-f, --follow", "go on as more happens")
    .addOption(endpointOption())
    .addOption(keyFileOption())
    .option("--json", "one JSON object a line")
    .action(async (deployment: string, workload: string | undefined, options: EventsOptions) => {
      using client = await connect(options);
      const id = await findDeployment(client, () => tenantAddress(options, client), deployment);
      const { addressPrefix } = await client.parameters();
      const signer = await tenantSigner(options, addressPrefix);
      const interrupted = new AbortController();
      void onTermination().then(() => interrupted.abort());
      const holders = await holdersOf(client, id);
      const failures: string[] = [];
      const past: WorkloadEvent[] = [];
      const show = (event: WorkloadEvent): void => {
        if (workload !== undefined && event.workload !== workload) return;
        process.stdout.write(`${options.json ? JSON.stringify(event) : toText(event)}\n`);
      };
      await Promise.all(
        holders.map(async (holder) => {
          await using agent = agentOf(client, holder, signer, "observe");
          try {
            const { signal } = interrupted;
            for await (const event of agent.events(id, { signal, follow: options.follow ?? false })) {
              if (options.follow) show(event);
              else past.push(event);
            }
          } catch (error) {
            if (!interrupted.signal.aborted) failures.push(error instanceof Error ? error.message : String(error));
          }
        }),
      );
      for (const event of past.sort((a, b) => (a.time < b.time ? -1 : 1))) show(event);
      for (const failure of failures) process.stderr.write(`${pc.yellow("warning:")} ${failure}\n`);
      if (failures.length > 0 && failures.length === holders.length)
        throw new CommandFailure("No datacenter told of any.");
      process.exit(process.exitCode ?? 0);
    });
}

function toText({ instance, message, restarts, state, time, workload }: WorkloadEvent): string {
  const colour = state === "failed" || state === "exited" || state === "unhealthy" ? pc.yellow : pc.green;
  const more = [message, restarts > 0 ? `restarts: ${restarts}` : undefined].filter((part) => part !== undefined);
  return `${pc.dim(time)} ${pc.cyan(`${workload}/${instance}`)} ${colour(state)} ${more.join("; ")}`.trimEnd();
}
