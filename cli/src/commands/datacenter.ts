import { readFileSync } from "node:fs";
import { Command } from "commander";
import { announceReady } from "../processes/detached";
import { onTermination } from "../processes/termination";

/** `dcx datacenter`: the agent that sells a machine's capacity, in the foreground. */
export function datacenterCommand(): Command {
  const datacenter = new Command("datacenter").description("run a datacenter's agent");
  datacenter
    .command("start")
    .description("bid, run workloads and confirm leases until told to stop; workloads go on running")
    .requiredOption("--config <file>", "its configuration, YAML or JSON: see docs/datacenter.md")
    .action(async (options: { config: string }) => {
      const { readDatacenterConfiguration, startDatacenter } = await import("@dcx/datacenter");
      const running = await startDatacenter(readDatacenterConfiguration(readFileSync(options.config, "utf8")));
      announceReady({ address: running.address, agentUrl: running.agentUrl });
      await Promise.race([onTermination(), running.done]);
      await running.close();
    });
  datacenter
    .command("check")
    .description("say what is wrong with a configuration")
    .requiredOption("--config <file>", "the configuration to check")
    .action(async (options: { config: string }) => {
      const { readDatacenterConfiguration } = await import("@dcx/datacenter");
      readDatacenterConfiguration(readFileSync(options.config, "utf8"));
      process.stdout.write("The configuration is valid.\n");
    });
  return datacenter;
}
