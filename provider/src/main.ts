import { createServer, type Socket } from "node:net";

/**
 * The first moments of the plugin's process. The engine waits for the port line, so it is printed before anything is
 * loaded; whoever connects meanwhile is kept until the server is there.
 *
 * Standard output carries the port and nothing else.
 */
const waiting: Socket[] = [];
const listener = createServer((socket) => waiting.push(socket));

listener.listen(0, "127.0.0.1", () => {
  const bound = listener.address();
  process.stdout.write(`${typeof bound === "object" && bound !== null ? bound.port : ""}\n`);
  import("./plugin.js")
    .then(({ run }) => run(listener, waiting, process.argv.slice(2)))
    .catch((error: unknown) => {
      process.stderr.write(`dcx could not start: ${error instanceof Error ? error.stack : String(error)}\n`);
      process.exit(1);
    });
});
