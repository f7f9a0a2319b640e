import { embeddedPaths } from "@dcx/protocol";
import { Command, InvalidArgumentError, Option } from "commander";
import { embeddedDefaults, type IsolationChoice } from "../embedded/plan";
import { CommandFailure } from "../output/failure";
import { progress, toJson } from "../output/print";

interface StartCommandOptions {
  readonly isolation: IsolationChoice;
  readonly blockInterval: number;
  readonly ingressDomain?: string;
  readonly ingressResolver?: string;
  readonly json?: true;
}

/** `dcx network`: the user's own embedded network (design: "The embedded network"). */
export function networkCommand(): Command {
  const network = new Command("network").description(
    "the embedded network on this machine: a node and two datacenters",
  );

  network
    .command("start")
    .description("start what does not run of it; make a new one where there is none")
    .addOption(
      new Option("--isolation <class>", "how workloads are kept apart: none has to be asked for")
        .choices(["auto", "container", "sandbox", "none"])
        .env("DCX_ISOLATION")
        .default("auto"),
    )
    .addOption(
      new Option("--block-interval <ms>", "between two blocks of a new network, 50 to 60000")
        .env("DCX_BLOCK_INTERVAL")
        .argParser(milliseconds)
        .default(embeddedDefaults.blockInterval),
    )
    .addOption(
      new Option("--ingress-domain <domain>", "global connections get host names under it, in TLS").env(
        "DCX_INGRESS_DOMAIN",
      ),
    )
    .addOption(
      new Option("--ingress-resolver <address>", "name server that is asked who owns a host name").env(
        "DCX_INGRESS_RESOLVER",
      ),
    )
    .option("--json", "print the result for programs")
    .action(async (options: StartCommandOptions) => {
      const { startNetwork, networkStatus } = await import("../embedded/network.js");
      const paths = embeddedPaths(process.env);
      await startNetwork(paths, { ...options, progress });
      printStatus(networkStatus(paths), options.json);
    });

  network
    .command("status")
    .description("what of it runs; exit code 1 where not all does")
    .option("--json", "print the result for programs")
    .action(async (options: { json?: true }) => {
      const { networkStatus } = await import("../embedded/network.js");
      const status = networkStatus(embeddedPaths(process.env));
      printStatus(status, options.json);
      process.exitCode = status.state === "running" ? 0 : 1;
    });

  network
    .command("stop")
    .description("end its processes and workloads; the chain, its keys and volumes stay for the next start")
    .action(async () => {
      const { stopNetwork } = await import("../embedded/network.js");
      await stopNetwork(embeddedPaths(process.env), progress);
    });

  network
    .command("reset")
    .description("end it and delete all that is on it: deployments, tokens, volumes, keys")
    .option("--yes", "do it without being asked")
    .action(async (options: { yes?: true }) => {
      if (options.yes !== true && !(await confirmed("Delete the embedded network with all its deployments?"))) {
        throw new CommandFailure("Nothing was deleted. Say --yes to delete the embedded network.", 2);
      }
      const { resetNetwork } = await import("../embedded/network.js");
      await resetNetwork(embeddedPaths(process.env), progress);
    });

  return network;
}

function printStatus(status: import("../embedded/network.js").NetworkStatus, json: true | undefined): void {
  if (json) {
    process.stdout.write(`${toJson(status)}\n`);
    return;
  }
  const { network } = status;
  const lines =
    network === undefined
      ? ["no embedded network: `dcx network start` or the first `pulumi up` makes one"]
      : [
          `${status.state}: ${network.chainId} at ${network.rpcUrl} (dcx ${network.version})`,
          `  node        ${status.processes["node"]}  pid ${network.node.pid}`,
          ...network.datacenters.map(
            ({ name, region, process }) =>
              `  ${name.padEnd(11)} ${status.processes[name]}  pid ${process.pid}  ${region}`,
          ),
        ];
  process.stdout.write(`${lines.join("\n")}\n`);
}

function milliseconds(text: string): number {
  const number = Number(text);
  if (!Number.isSafeInteger(number) || number < 50 || number > 60_000) {
    throw new InvalidArgumentError("It must be a whole number of milliseconds from 50 to 60000.");
  }
  return number;
}

/** Asks on a terminal; where there is none the answer is no. */
async function confirmed(question: string): Promise<boolean> {
  if (!process.stdin.isTTY) {
    return false;
  }
  const { createInterface } = await import("node:readline/promises");
  const terminal = createInterface({ input: process.stdin, output: process.stderr });
  try {
    return /^y(es)?$/i.test((await terminal.question(`${question} (y/N) `)).trim());
  } finally {
    terminal.close();
  }
}
