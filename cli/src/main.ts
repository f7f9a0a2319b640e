import { CommanderError } from "commander";
import pc from "picocolors";
import { dcxProgram } from "./program";

/** The `dcx` command. Exit codes: 0 done, 1 failed, 2 asked wrongly; of `dcx plan`, where 2 means changes, 1 for both. */
run().then(
  () => undefined,
  (error: unknown) => {
    if (error instanceof CommanderError) {
      process.exitCode = error.exitCode === 0 ? 0 : process.argv[2] === "plan" ? 1 : 2;
      return;
    }
    const message = error instanceof Error ? error.message : String(error);
    process.stderr.write(`${pc.red("error:")} ${message}\n`);
    if (process.env["DCX_DEBUG"] && error instanceof Error) {
      process.stderr.write(`${error.stack}\n`);
    }
    process.exitCode = error instanceof Error && "exitCode" in error ? Number(error.exitCode) : 1;
  },
);

async function run(): Promise<void> {
  const completing = process.argv[2] === "complete" && process.argv.length > 3 && !process.argv.includes("--help");
  const program = dcxProgram({ completion: !completing });
  if (completing) (await import("@bomb.sh/tab/commander")).default(program);
  await program.parseAsync(process.argv);
}
