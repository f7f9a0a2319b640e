import { readFileSync } from "node:fs";
import { Genesis } from "@dcx/protocol";
import { Command } from "commander";
import { announceReady } from "../processes/detached";
import { onTermination } from "../processes/termination";

/** `dcx node`: a node of an exchange, in the foreground. */
export function nodeCommand(): Command {
  const node = new Command("node").description("run a node of an exchange");
  node
    .command("start")
    .description("run the embedded node: one process, one key that signs every block, so its operator is trusted")
    .requiredOption("--home <folder>", "where it keeps its state")
    .option("--genesis <file>", "genesis of a new chain; needed the first time")
    .option("--host <address>", "address to listen on", "127.0.0.1")
    .option("--port <port>", "port of CometBFT's JSON-RPC; 0: any free one", "26657")
    .action(async (options: { home: string; genesis?: string; host: string; port: string }) => {
      const { startEmbeddedNode } = await import("@dcx/exchange");
      const { pino } = await import("pino");
      const running = await startEmbeddedNode({
        home: options.home,
        ...(options.genesis === undefined
          ? {}
          : { genesis: Genesis.fromJSON(JSON.parse(readFileSync(options.genesis, "utf8"))) }),
        rpc: { host: options.host, port: Number(options.port) },
        logger: pino({ name: "node" }),
      });
      announceReady({ rpcUrl: running.rpcUrl, chainId: running.chainId });
      await Promise.race([onTermination(), running.done]);
      await running.close();
    });
  node
    .command("check")
    .description("check the folder of a stopped node: the state's invariants, its app hash, and its blocks")
    .requiredOption("--home <folder>", "where it keeps its state")
    .action(async (options: { home: string }) => {
      const { checkHome } = await import("@dcx/exchange");
      const problems = await checkHome(options.home);
      if (problems.length === 0) {
        process.stdout.write("State, app hash and blocks are as they must be.\n");
        return;
      }
      for (const problem of problems) process.stderr.write(`${problem}\n`);
      process.exitCode = 1;
    });
  return node;
}
