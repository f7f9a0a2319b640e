import { readFileSync } from "node:fs";
import type { ControlStatus } from "@dcx/datacenter";
import { Command } from "commander";
import { progress } from "../output/print";

type DrainOptions = {
  readonly config: string;
  readonly wait?: true;
  readonly exit?: true;
  readonly undo?: true;
  readonly json?: true;
};

/** How often a drain that is waited for is asked about, in milliseconds. */
const interval = 1_000;

/** `dcx datacenter drain`: leave in good order. */
export function drainCommand(): Command {
  return new Command("drain")
    .description("take no new leases and give notice for all that there are; the agent serves them until they close")
    .requiredOption("--config <file>", "the configuration that the agent runs with")
    .option("--wait", "until nothing is left")
    .option("--exit", "the agent ends, with exit code 0, once nothing is left")
    .option("--undo", "sell again; notices that were given stay given")
    .option("--json", "print the result for programs")
    .action(async (options: DrainOptions) => {
      const { ControlClient, readDatacenterConfiguration } = await import("@dcx/datacenter");
      const configuration = readDatacenterConfiguration(readFileSync(options.config, "utf8"), options.config);
      const agent = new ControlClient(configuration.home);
      let status = options.undo ? await agent.resume() : await agent.drain({ exit: options.exit ?? false });
      let told = "";
      while (options.wait && !options.undo && status.draining?.drained !== true) {
        const now = describe(status);
        if (now !== told) progress(now);
        told = now;
        await new Promise((resolve) => setTimeout(resolve, interval));
        try {
          status = await agent.status();
        } catch (error) {
          // Ended by itself, as it was asked to: nothing is left.
          if (!options.exit) throw error;
          process.stdout.write(options.json ? '{"drained":true}\n' : `${status.address} is drained, and has ended.\n`);
          return;
        }
      }
      process.stdout.write(`${options.json ? JSON.stringify(status) : describe(status)}\n`);
    });
}

/** Where a drain stands, for a person. */
export function describe({ address, bids, blockInterval, draining, height, instances, leases }: ControlStatus): string {
  if (draining === undefined) return `${address} sells: ${count(leases, "lease")}, ${count(bids, "open bid")}.`;
  if (draining.drained) return `${address} is drained: no lease, no bid and no instance is left.`;
  const left = [count(leases, "lease"), count(bids, "open bid"), count(instances, "instance")].join(", ");
  const blocks = draining.lastEnd === undefined ? undefined : BigInt(draining.lastEnd) - BigInt(height);
  const seconds = blocks === undefined ? undefined : (blocks * BigInt(blockInterval ?? 0)) / 1000n;
  const end =
    draining.withoutNotice > 0 || seconds === undefined
      ? ""
      : `; the last notice ends at block ${draining.lastEnd}, in about ${seconds} s at the latest`;
  return `${address} drains: ${left}${end}.`;
}

function count(number: number, what: string): string {
  return `${number} ${what}${number === 1 ? "" : "s"}`;
}
