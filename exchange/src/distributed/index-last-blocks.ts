import { execFile } from "node:child_process";
import { promisify } from "node:util";
import type { Logger } from "pino";
import { engineEnvironment } from "./engine-environment";
import { engineHome } from "./engine-home";

const run = promisify(execFile);
/** What the command prints when it has done it. It ends with 0 also where it has not. */
const finished = "event re-index finished";

export interface IndexOptions {
  readonly home: string;
  /** Path of the `cometbft` command. */
  readonly cometbft: string;
  /** Of the last block that the application has committed; 0: none. */
  readonly height: bigint;
  readonly settings: Readonly<Record<string, string>>;
  readonly logger: Logger;
}

/**
 * Enters the last two committed blocks into the engine's index of transactions and events again, before it runs. The
 * engine indexes a block some time after it has committed it, and never again where it was killed in between: at most
 * one block is being indexed, and one waits for that.
 */
export async function indexLastBlocks({ home, cometbft, height, settings, logger }: IndexOptions): Promise<void> {
  if (height === 0n) return;
  const env = engineEnvironment(settings);
  for (const first of height === 1n ? [1n] : [height - 1n, height]) {
    const range = ["--start-height", String(first), "--end-height", String(height)];
    try {
      const { stdout } = await run(cometbft, ["reindex-event", "--home", engineHome(home), ...range], { env });
      if (stdout.includes(finished)) return;
      // The one before it may be from before the snapshot that this node began with. Or its operator wants no index.
      logger.debug({ from: first.toString(), said: stdout.trim() }, "CometBFT did not index blocks again");
    } catch (error) {
      logger.warn({ err: error, from: first.toString() }, "CometBFT could not index its last blocks again");
    }
  }
}
