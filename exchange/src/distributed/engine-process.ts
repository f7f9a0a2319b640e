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
/**
 * The same where it was behind: it fetches blocks, of which two thirds have signed each before it is compared with the
 * state (`blocksync` of CometBFT 0.38 then drops the peer that sent it, and asks the next one, for ever).
 */
const otherState = { module: "blocksync", reason: "wrong Block.Header." };

/** What is to be done then (docs/operate.md). */
const wayOut =
  ". `dcx node check` says what is wrong with the state; begin anew with the keys, as docs/operate.md says";

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
  let timer: NodeJS.Timeout | undefined;
  const end = () => {
    child.kill("SIGTERM");
    timer ??= setTimeout(() => child.kill("SIGKILL"), grace);
  };
  for (const stream of [child.stdout, child.stderr]) {
    if (stream === null) continue;
    createInterface({ input: stream }).on("line", (line) => {
      const telling = relay(logger, line);
      if (telling === undefined || failed) return;
      last.push(telling.text);
      if (last.length > lastLines) last.shift();
      if (!telling.fatal) return;
      // The process stays after that, and answers, but takes part in nothing.
      failed = true;
      end();
    });
  }
  const forgetKey = () => {
    if (key === undefined) return;
    ftruncateSync(key);
    closeSync(key);
    key = undefined;
  };
  const gone = howItWent(child).then((how) => {
    clearTimeout(timer);
    forgetKey();
    const words = last.length === 0 ? how : `${how}: ${last.join("; ")}`;
    return failed
      ? `came to another state than the other validators (${consensusFailure}) and ${words}${wayOut}`
      : words;
  });
  return {
    gone,
    forgetKey,
    close: async () => {
      end();
      await gone;
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

/** What is no ordinary line of the engine's log: an error, or no line of a log. */
interface Telling {
  readonly text: string;
  /** It can't go on: its state is not that of the others. */
  readonly fatal: boolean;
}

/** Relays one line of the engine's log, at its own level. */
function relay(logger: Logger, line: string): Telling | undefined {
  let entry: unknown;
  try {
    entry = JSON.parse(line);
  } catch {
    logger.info(line);
    return { text: line, fatal: line.startsWith(consensusFailure) };
  }
  if (typeof entry !== "object" || entry === null) return undefined;
  const { level, _msg: message, ts: _time, ...details } = entry as Record<string, unknown>;
  const text = typeof message === "string" ? message : "";
  if (level === "error") logger.error(details, text);
  else if (level === "debug") logger.trace(details, text);
  // Several lines a block.
  else logger.debug(details, text);
  if (level !== "error") return undefined;
  const reason = details["err"] ?? details["error"];
  return {
    text: [text, reason].filter(Boolean).join(": "),
    fatal:
      text.startsWith(consensusFailure) ||
      (details["module"] === otherState.module && String(reason).startsWith(otherState.reason)),
  };
}
