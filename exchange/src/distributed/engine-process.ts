import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import type { Logger } from "pino";
import { engineHome } from "./engine-home";

export interface EngineOptions {
  readonly home: string;
  /** Path of the `cometbft` command. */
  readonly cometbft: string;
  /** The application's socket. */
  readonly application: string;
  /** In place of what config.toml says, by its keys: `{ "p2p.laddr": "tcp://0.0.0.0:26656" }`. */
  readonly settings: Readonly<Record<string, string>>;
  readonly logger: Logger;
}

export interface Engine {
  /** Resolves once the process is gone, with how it went. */
  readonly gone: Promise<string>;
  /** Asks it to end, and ends it where it does not within some seconds. */
  close(): Promise<void>;
}

const grace = 10_000;
/** Lines that may say why it ended. */
const lastLines = 3;

/** Starts CometBFT for an application that is being served already. */
export function startEngine(options: EngineOptions): Engine {
  const settings = { ...options.settings, proxy_app: `unix://${options.application}`, log_format: "json" };
  // CometBFT reads every key of its config.toml from the environment too.
  const variables = Object.entries(settings).map(([key, value]) => [
    `CMT_${key.replaceAll(".", "_").replaceAll("-", "_").toUpperCase()}`,
    value,
  ]);
  const child = spawn(options.cometbft, ["start", "--home", engineHome(options.home)], {
    env: { ...process.env, ...Object.fromEntries(variables) },
    stdio: ["ignore", "pipe", "pipe"],
  });
  const logger = options.logger.child({ part: "cometbft" });
  const last: string[] = [];
  for (const stream of [child.stdout, child.stderr]) {
    createInterface({ input: stream }).on("line", (line) => {
      const telling = relay(logger, line);
      if (telling !== undefined) last.push(telling);
      if (last.length > lastLines) last.shift();
    });
  }
  const gone = howItWent(child).then((how) => (last.length === 0 ? how : `${how}: ${last.join("; ")}`));
  return {
    gone,
    close: async () => {
      child.kill("SIGTERM");
      const timer = setTimeout(() => child.kill("SIGKILL"), grace);
      await gone;
      clearTimeout(timer);
    },
  };
}

async function howItWent(child: ChildProcess): Promise<string> {
  try {
    // Not its exit: then all that it wrote has been read.
    const [code, signal] = await once(child, "close");
    return signal === null ? `ended with exit code ${code}` : `was ended by ${signal}`;
  } catch (error) {
    return `could not be started: ${error instanceof Error ? error.message : String(error)}`;
  }
}

/** One line of the engine's log, at its own level. Returns what is no ordinary line: an error, or no line of a log. */
function relay(logger: Logger, line: string): string | undefined {
  let entry: unknown;
  try {
    entry = JSON.parse(line);
  } catch {
    logger.info(line);
    return line;
  }
  if (typeof entry !== "object" || entry === null) return undefined;
  const { level, _msg: message, ts: _time, ...details } = entry as Record<string, unknown>;
  const text = typeof message === "string" ? message : "";
  if (level === "error") logger.error(details, text);
  else if (level === "debug") logger.trace(details, text);
  // Several lines a block.
  else logger.debug(details, text);
  return level === "error" ? [text, details["err"] ?? details["error"]].filter(Boolean).join(": ") : undefined;
}
