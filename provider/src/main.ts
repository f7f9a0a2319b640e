import { Console } from "node:console";
import { serve } from "./server/serve";
import { watchEngine } from "./server/watchdog";
import { version } from "./version";

/**
 * The plugin's process. Its standard output carries the port and nothing else. It ends at once when the engine says
 * so (SIGINT; what is in flight then was cancelled before), and soon after the engine itself is gone.
 */
async function main(engineAddress: string | undefined): Promise<void> {
  globalThis.console = new Console(process.stderr, process.stderr);
  for (const signal of ["SIGINT", "SIGTERM"] as const) {
    process.on(signal, () => process.exit(0));
  }
  const provider = await serve({
    version,
    environment: process.env,
    // Loaded only now or later: the engine waits for the port, and asks for these when it is configured.
    load: async (configuration) => {
      const { createResourceSet } = await import("./resources/index.js");
      return createResourceSet(configuration, process.env);
    },
    schema: async () => (await import("./schema/package-schema.js")).schemaText(),
  });
  process.stdout.write(`${provider.port}\n`);

  const fail = (error: unknown): void => {
    const what = error instanceof Error ? (error.stack ?? error.message) : String(error);
    process.stderr.write(`${what}\n`);
    provider.log.log("error", `dcx has made a mistake of its own and has to stop. Please report it:\n${what}`, "");
    provider.log.flush().finally(() => process.exit(1));
  };
  process.on("uncaughtException", fail);
  process.on("unhandledRejection", fail);

  if (engineAddress !== undefined) {
    provider.log.connect(engineAddress);
    watchEngine({
      unreachable: () => provider.log.isEngineUnreachable(),
      parent: () => process.ppid,
      interval: 500,
      gone: () => {
        // What was signed is followed to its end by whoever reads the chain next; nobody is left to tell here.
        provider.cancellation.abort("engine-gone");
        setTimeout(() => process.exit(1), provider.requests.inFlight > 0 ? LAST_WORDS : 0);
      },
    });
  }
}

/** Milliseconds that requests get to end cleanly once the engine is gone. */
const LAST_WORDS = 1000;

// The engine passes its address; a person who attaches an engine to this process (PULUMI_DEBUG_PROVIDERS) does not.
const address = process.argv.slice(2).find((argument) => !argument.startsWith("-"));
main(address).catch((error: unknown) => {
  process.stderr.write(`dcx could not start: ${error instanceof Error ? error.message : String(error)}\n`);
  process.exit(1);
});
