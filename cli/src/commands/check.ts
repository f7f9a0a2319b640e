import { readFileSync } from "node:fs";
import { Command } from "commander";
import pc from "picocolors";
import { CommandFailure } from "../output/failure";
import { toTable } from "../output/print";

/** `dcx datacenter check`: what would keep an agent from running as its configuration says. */
export function checkCommand(): Command {
  return new Command("check")
    .description("say what is wrong with a configuration, and with what it names on this machine and on the exchange")
    .requiredOption("--config <file>", "the configuration to check")
    .option("--offline", "ask no exchange")
    .option("--json", "print the result for programs")
    .action(async (options: { config: string; offline?: true; json?: true }) => {
      const { checkDatacenter, readDatacenterConfiguration } = await import("@dcx/datacenter");
      const configuration = readDatacenterConfiguration(readFileSync(options.config, "utf8"), options.config);
      const findings = await checkDatacenter(configuration, { offline: options.offline ?? false });
      const colours = { good: pc.green, warning: pc.yellow, bad: pc.red };
      const columns = [
        { title: "WHAT", value: ({ what }: (typeof findings)[number]) => what },
        { title: "", value: ({ state }: (typeof findings)[number]) => colours[state](state) },
        { title: "FOUND", value: ({ message }: (typeof findings)[number]) => message },
      ];
      process.stdout.write(`${options.json ? JSON.stringify(findings) : toTable(findings, columns, "")}\n`);
      const bad = findings.filter(({ state }) => state === "bad");
      if (bad.length > 0)
        throw new CommandFailure(`The datacenter can't run so: ${bad.map(({ what }) => what).join(", ")}.`);
    });
}

/** `dcx datacenter schema`: for editors that complete and check YAML. */
export function schemaCommand(): Command {
  return new Command("schema")
    .description("print the JSON schema of the configuration, for editors")
    .action(async () => {
      const { datacenterConfigurationSchema } = await import("@dcx/datacenter");
      process.stdout.write(`${JSON.stringify(datacenterConfigurationSchema(), undefined, 2)}\n`);
    });
}
