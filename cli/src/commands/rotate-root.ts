import { readFileSync } from "node:fs";
import type { ControlStatus } from "@dcx/datacenter";
import { Command } from "commander";
import { progress } from "../output/print";

type RotationOptions = {
  readonly config: string;
  readonly overlap: string;
  readonly now?: true;
  readonly wait?: true;
  readonly json?: true;
};

/** How often a rotation that is waited for is asked about, in milliseconds. */
const interval = 1_000;

/** `dcx datacenter rotate-root`: a new root certificate in place of the one that there is. */
export function rotateRootCommand(): Command {
  return new Command("rotate-root")
    .description("replace the root certificate by a new one; what is connected stays so while both count")
    .requiredOption("--config <file>", "the configuration that the agent runs with")
    .option("--overlap <duration>", "longest that both count; the old one goes before when nothing stands on it", "24h")
    .option("--now", "the old one ends at once and what stands on it is cut: its key may be in wrong hands")
    .option("--wait", "until the old one is gone")
    .option("--json", "print the result for programs")
    .action(async (options: RotationOptions) => {
      const { config, json, wait } = options;
      const { ControlClient, readDatacenterConfiguration } = await import("@dcx/datacenter");
      const configuration = readDatacenterConfiguration(readFileSync(config, "utf8"), config);
      const agent = new ControlClient(configuration.home);
      let status = await agent.rotateRoot({ overlap: await overlapOf(options) });
      let told = "";
      while (wait && status.rotation !== undefined) {
        const text = describeRotation(status);
        if (text !== told) progress(text);
        told = text;
        await new Promise((resolve) => setTimeout(resolve, interval));
        status = await agent.status();
      }
      process.stdout.write(`${json ? JSON.stringify(status) : describeRotation(status)}\n`);
    });
}

/** Milliseconds that both roots count at most. @throws where it is no duration, or none at all */
export async function overlapOf({ now, overlap }: Pick<RotationOptions, "now" | "overlap">): Promise<number> {
  if (now) return 0;
  const { parseDuration } = await import("@dcx/protocol");
  const asked = parseDuration(overlap);
  if (asked <= 0)
    throw new Error("--overlap has to be longer than nothing; for the old root to end at once there is --now");
  return asked;
}

/** Where a rotation stands, for a person. */
export function describeRotation({ address, blockInterval, height, rotation }: ControlStatus): string {
  if (rotation === undefined) return `${address} has one root, and what it issues is under that one.`;
  const { endHeight, newRoot, oldRoot, phase, standing } = rotation;
  const names = `root ${newRoot.slice(0, 12)} takes the place of ${oldRoot.slice(0, 12)}`;
  const blocks = endHeight === undefined ? undefined : BigInt(endHeight) - BigInt(height);
  const seconds = blocks === undefined ? undefined : (blocks * BigInt(blockInterval ?? 0)) / 1000n;
  const end = seconds === undefined ? "" : `, at block ${endHeight} (in about ${seconds} s) at the latest`;
  switch (phase) {
    case "announcing":
      return `${address}: ${names}; it is on its way to the chain.`;
    case "settling":
      return `${address}: ${names}; both are on chain, and the others learn of it.`;
    case "renewed":
      return `${address}: ${names}; certificates are under the new one, ${standing} tunnel${standing === 1 ? "" : "s"} of the old one still carr${standing === 1 ? "ies" : "y"} something. It goes when none does${end}.`;
    case "withdrawing":
      return `${address}: ${names}; the old one goes.`;
  }
}
