import { readFileSync } from "node:fs";
import { Command } from "commander";
import { CommandFailure } from "../output/failure";
import { toJson } from "../output/print";

interface PlanOptions {
  readonly deployment?: string;
  readonly var: readonly string[];
  readonly json?: true;
  readonly detailedExitcode?: true;
}

/** Exit code with `--detailed-exitcode` where something would change: what users of terraform's plan know. */
const CHANGES = 2;

/** `dcx plan`: what an application file would change, without the Pulumi engine and without changing anything. */
export function planCommand(): Command {
  return new Command("plan")
    .description("print what an application file would change: transactions, orders, leases and cost; change nothing")
    .argument("<file>", "the application file; - reads standard input")
    .option("--deployment <id>", "compare with this deployment, <chain>/<tenant>/<sequence>; without: plan a new one")
    .option(
      "--var <name=value>",
      "a variable of the file, once for each; without =value it is the environment variable of that name",
      (given: string, before: readonly string[]) => [...before, given],
      [],
    )
    .option("--json", "print the plan for programs (docs/reference/plan.md)")
    .option("--detailed-exitcode", "exit with 2 where something would change, with 0 where nothing would")
    .action(async (file: string, options: PlanOptions) => {
      const text = read(file);
      const variables = Object.fromEntries(options.var.map(variable));
      const { planFile } = await import("@dcx/provider");
      const stop = new AbortController();
      const interrupt = (): void => stop.abort(new CommandFailure("interrupted"));
      process.once("SIGINT", interrupt);
      try {
        const plan = await planFile(text, {
          file: file === "-" ? "standard input" : file,
          variables,
          deployment: options.deployment,
          environment: process.env,
          signal: stop.signal,
        });
        process.stdout.write(`${options.json ? toJson(plan.report) : plan.text}\n`);
        process.exitCode = options.detailedExitcode && plan.changes ? CHANGES : 0;
      } finally {
        process.off("SIGINT", interrupt);
      }
    });
}

function read(file: string): string {
  try {
    return readFileSync(file === "-" ? 0 : file, "utf8");
  } catch (error) {
    throw new CommandFailure(`${file} can't be read: ${error instanceof Error ? error.message : String(error)}`);
  }
}

function variable(given: string): readonly [name: string, value: string] {
  const at = given.indexOf("=");
  if (at > 0) {
    return [given.slice(0, at), given.slice(at + 1)];
  }
  const value = process.env[given];
  if (at === 0 || value === undefined) {
    throw new CommandFailure(
      `--var ${given}: there is no environment variable ${given}; set it, or write --var ${given}=<value>`,
    );
  }
  return [given, value];
}
