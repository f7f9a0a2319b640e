import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { closeSync, ftruncateSync } from "node:fs";
import { createInterface } from "node:readline";
import type { Logger } from "pino";
import { namelessFile } from "./consensus-key-file";
import { engineEnvironment } from "./engine-environment";
import { engineHome } from "./engine-home";

export interface EngineOptions {
  readonly home: string;
  /** Path of the `cometbft` command. */
  readonly cometbft: string;
  /** The application's socket. */
  readonly application: string;
  /** In place of what config.toml says, by its keys: `{ "p2p.laddr": "tcp://0.0.0.0:26656" }`. */
  readonly settings: Readonly<Record<string, string>>;
  /** Text of the key file where the engine can't read it. */
  readonly key?: string | undefined;
  readonly logger: Logger;
}

export interface Engine {
  /** Resolves once the process is gone, with how it went. */
  readonly gone: Promise<string>;
  /** Empties the file from which it read its key. To be called once it runs. */
  forgetKey(): void;
  /** Asks it to end, and ends it where it does not within some seconds. */
  close(): Promise<void>;
}

const grace = 10_000;
/** Lines that may say why it ended. */
const lastLines = 3;
/** With what CometBFT's log begins a line on that it can't go on: the state differs from what others have agreed on. */
const consensusFailure = "CONSENSUS FAILURE";

/** Starts CometBFT for an application that is being served already. */
export function startEngine(options: EngineOptions): Engine {
  let key = options.key === undefined ? undefined : namelessFile(options.key);
  const settings = {
    ...options.settings,
    proxy_app: `unix://${options.application}`,
    log_format: "json",
    // The fourth of those that it inherits. What it has signed stays in its own file, as with a key in clear.
    ...(key === undefined ? {} : { priv_validator_key_file: "/dev/fd/3" }),
  };
  const child = spawn(options.cometbft, ["start", "--home", engineHome(options.home)], {
    env: engineEnvironment(settings),
    stdio: ["ignore", "pipe", "pipe", ...(key === undefined ? [] : [key])],
  });
  const logger = options.logger.child({ part: "cometbft" });
  const last: string[] = [];
  let failed = false;
  for (const stream of [child.stdout, child.stderr]) {
    if (stream === null) continue;
    createInterface({ input: stream }).on("line", (line) => {
      const telling = relay(logger, line);
      if (telling === undefined) return;
      last.push(telling);
      if (last.length > lastLines) last.shift();
      if (!telling.startsWith(consensusFailure)) return;
      // The process stays after that, and answers, but takes part in nothing.
      failed = true;
      child.kill("SIGTERM");
    });
  }
  const forgetKey = () => {
    if (key === undefined) return;
    ftruncateSync(key);
    closeSync(key);
    key = undefined;
  };
  const gone = howItWent(child).then((how) => {
    forgetKey();
    const went = failed ? `failed (${consensusFailure}) and ${how}` : how;
    return last.length === 0 ? went : `${went}: ${last.join("; ")}`;
  });
  return {
    gone,
    forgetKey,
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
