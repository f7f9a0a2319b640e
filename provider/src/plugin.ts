import type { Server, Socket } from "node:net";
import { Trace } from "./network/trace";
import { runPlugin } from "./server/process";
import { version } from "./version";

/** The plugin with dcx's resources, on a listener that is already open. */
export function run(listener: Server, waiting: readonly Socket[], argv: readonly string[]): void {
  const trace = Trace.of(process.env);
  runPlugin(listener, waiting, argv, {
    version,
    environment: process.env,
    trace,
    // Loaded only now or later: the engine asks for these when it has configured the provider.
    load: async (configuration) => {
      const { createResourceSet } = await import("./resources/index.js");
      return createResourceSet(configuration, process.env, trace);
    },
    components: async () => (await import("./components/index.js")).createComponents(),
    schema: async () => (await import("./schema/package-schema.js")).schemaText(),
  });
}
