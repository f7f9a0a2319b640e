import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Isolation } from "@dcx/protocol";
import { Command } from "commander";
import { announceReady, endWithoutRecord } from "../processes/detached";
import { onTermination } from "../processes/termination";
import { checkCommand, schemaCommand } from "./check";
import { drainCommand } from "./drain";
import { rotateRootCommand } from "./rotate-root";

/** What a datacenter with `isolation: auto` would choose here, or "none" with the reason why nothing better is had. */
async function strongestIsolation(): Promise<{ readonly strongest: Isolation; readonly why: string }> {
  const { openRuntime } = await import("@dcx/datacenter");
  const home = mkdtempSync(join(tmpdir(), "dcx-isolation-"));
  try {
    const quiet = { info: () => undefined, warn: () => undefined };
    const runtime = await openRuntime({ isolation: "auto", home, imageLayouts: [], datacenter: "none", logger: quiet });
    await runtime.close();
    const { isolation, unenforced } = runtime;
    const limits = unenforced.length === 0 ? "all limits hold" : `not enforced: ${unenforced.join(", ")}`;
    return { strongest: isolation, why: limits };
  } catch (error) {
    return { strongest: "none", why: error instanceof Error ? error.message : String(error) };
  } finally {
    rmSync(home, { recursive: true, force: true });
  }
}

/** `dcx datacenter`: the agent that sells a machine's capacity, in the foreground. */
export function datacenterCommand(): Command {
  const datacenter = new Command("datacenter").description("run a datacenter's agent");
  datacenter
    .command("start")
    .description("bid, run workloads and confirm leases until told to stop; workloads go on running")
    .requiredOption("--config <file>", "its configuration, YAML or JSON: see docs/datacenter.md")
    .action(async (options: { config: string }) => {
      endWithoutRecord();
      const { readDatacenterConfiguration, startDatacenter } = await import("@dcx/datacenter");
      const running = await startDatacenter(readDatacenterConfiguration(readFileSync(options.config, "utf8")));
      announceReady({ address: running.address, agentUrl: running.agentUrl });
      const drained = new Promise((resolve) => running.drained.addEventListener("abort", resolve, { once: true }));
      await Promise.race([onTermination(), running.done, drained]);
      await running.close();
    });
  datacenter.addCommand(drainCommand());
  datacenter.addCommand(rotateRootCommand());
  datacenter.addCommand(checkCommand());
  datacenter.addCommand(schemaCommand());
  datacenter
    .command("metrics")
    .description("print what a running agent measures, in Prometheus' format")
    .requiredOption("--config <file>", "the configuration that the agent runs with")
    .action(async (options: { config: string }) => {
      const { ControlClient, readDatacenterConfiguration } = await import("@dcx/datacenter");
      const { home } = readDatacenterConfiguration(readFileSync(options.config, "utf8"), options.config);
      process.stdout.write(await new ControlClient(home).metrics());
    });
  datacenter
    .command("isolation")
    .description("the strongest way to keep workloads apart that this machine offers")
    .option("--json", "print the result for programs")
    .action(async (options: { json?: true }) => {
      const found = await strongestIsolation();
      process.stdout.write(`${options.json ? JSON.stringify(found) : `${found.strongest}: ${found.why}`}\n`);
    });
  return datacenter;
}
