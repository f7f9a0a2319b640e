import { Console } from "node:console";
import type { Server, Socket } from "node:net";
import type { ProviderSettings } from "./provider-calls";
import { serve } from "./serve";
import { watchEngine } from "./watchdog";

/**
 * The process of a plugin, on a listener that is already open. It ends at once when the engine says so (SIGINT; what is in flight
 * then was cancelled before), and soon after the engine itself is gone.
 */
export function runPlugin(
  listener: Server,
  waiting: readonly Socket[],
  argv: readonly string[],
  settings: ProviderSettings,
): void {
  globalThis.console = new Console(process.stderr, process.stderr);
  for (const signal of ["SIGINT", "SIGTERM"] as const) {
    process.on(signal, () => process.exit(0));
  }
  const provider = serve(settings);
  listener.removeAllListeners("connection");
  listener.on("connection", provider.accept);
  waiting.forEach(provider.accept);

  const fail = (error: unknown): void => {
    const what = error instanceof Error ? (error.stack ?? error.message) : String(error);
    process.stderr.write(`${what}\n`);
    provider.log.log("error", `dcx has made a mistake of its own and has to stop. Please report it:\n${what}`, "");
    provider.log.flush().finally(() => process.exit(1));
  };
  process.on("uncaughtException", fail);
  process.on("unhandledRejection", fail);

  // The engine passes its address; a person who attaches one to this process (PULUMI_DEBUG_PROVIDERS) does not.
  const engineAddress = argv.find((argument) => !argument.startsWith("-"));
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
