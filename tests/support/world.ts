import { execFile } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import {
  type EmbeddedNetwork,
  type EmbeddedPaths,
  ExchangeQueryClient,
  embeddedPaths,
  readEmbeddedNetwork,
} from "@dcx/protocol";
import { root } from "./root";
import { fileBackend, type Program, Stack } from "./stack";

const run = promisify(execFile);
export const dcxCommand = join(root, "cli", "bin", "dcx");

export interface WorldOptions {
  /** Absent: DCX_TEST_ISOLATION, else "sandbox", so that no result depends on whether an engine happens to run. */
  readonly isolation?: "auto" | "container" | "sandbox" | "none";
  /** Milliseconds between blocks of its network; absent: as any embedded network. */
  readonly blockInterval?: number;
  /** Environment of every process of this world. */
  readonly environment?: Readonly<Record<string, string>>;
}

/**
 * A user of their own: a home folder, an embedded network (started by the first create, or by `startNetwork`), a
 * Pulumi backend. `close` takes all of it down and fails where something of it is left running.
 */
export class World {
  private readonly stacks: Stack[] = [];
  private query: ExchangeQueryClient | undefined;

  private constructor(
    readonly home: string,
    readonly environment: Readonly<Record<string, string>>,
  ) {}

  static create(options: WorldOptions = {}): World {
    const home = mkdtempSync(join(tmpdir(), "dcx-world-"));
    mkdirSync(join(home, "backend"));
    mkdirSync(join(home, "dcx"), { recursive: true });
    symlinkSync(join(root, ".cache", "images"), join(home, "dcx", "images"));
    return new World(home, {
      DCX_HOME: join(home, "dcx"),
      DCX_CLI: dcxCommand,
      // Also where the first create of `pulumi up` starts the network.
      DCX_ISOLATION: options.isolation ?? process.env["DCX_TEST_ISOLATION"] ?? "sandbox",
      ...(options.blockInterval === undefined ? {} : { DCX_BLOCK_INTERVAL: String(options.blockInterval) }),
      PULUMI_HOME: join(home, "pulumi"),
      PULUMI_BACKEND_URL: fileBackend(join(home, "backend")),
      PULUMI_CONFIG_PASSPHRASE: "a passphrase of the tests",
      PULUMI_SKIP_UPDATE_CHECK: "true",
      PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION: "true",
      ...options.environment,
    });
  }

  get paths(): EmbeddedPaths {
    return embeddedPaths({ ...process.env, ...this.environment });
  }

  get network(): EmbeddedNetwork {
    const network = readEmbeddedNetwork(this.paths);
    if (network === undefined) {
      throw new Error("This world has no embedded network.");
    }
    return network;
  }

  async startNetwork(): Promise<EmbeddedNetwork> {
    await this.dcx("network", "start");
    return this.network;
  }

  /** Standard output of a dcx command. Rejects with what it said when it fails. */
  async dcx(...command: readonly string[]): Promise<string> {
    const { stdout } = await run(dcxCommand, [...command], {
      env: { ...process.env, ...this.environment },
      maxBuffer: 64 * 2 ** 20,
    });
    return stdout;
  }

  async client(): Promise<ExchangeQueryClient> {
    this.query ??= await ExchangeQueryClient.connect(this.network.rpcUrl);
    return this.query;
  }

  /** A stack of a YAML program, in a folder of its own. */
  async stack(name: string, program: Program): Promise<Stack> {
    const stack = await Stack.create(name, join(this.home, "programs", name), program, this.environment);
    this.stacks.push(stack);
    return stack;
  }

  /** Processes of the embedded network and of what it runs that are alive now, by their environment and command. */
  processes(): readonly { readonly pid: number; readonly command: string }[] {
    const marker = `DCX_HOME=${this.environment["DCX_HOME"]}`;
    return readdirSync("/proc")
      .filter((name) => /^\d+$/.test(name) && Number(name) !== process.pid)
      .flatMap((name) => {
        try {
          const command = readFileSync(`/proc/${name}/cmdline`, "latin1").replaceAll("\0", " ");
          const belongs =
            command.includes(this.home) || readFileSync(`/proc/${name}/environ`, "latin1").includes(marker);
          return belongs && command !== "" ? [{ pid: Number(name), command }] : [];
        } catch {
          return [];
        }
      });
  }

  /** SIGKILL to one process of this world. */
  kill(pid: number): void {
    if (!this.processes().some((candidate) => candidate.pid === pid)) {
      throw new Error(`Process ${pid} is not one of this world's.`);
    }
    process.kill(pid, "SIGKILL");
  }

  /** SIGKILL to every process of this world whose command matches. Throws where there is none. */
  killProgram(command: RegExp): void {
    const found = this.processes().filter((candidate) => command.test(candidate.command));
    if (found.length === 0) {
      throw new Error(`No process of this world matches ${command}.`);
    }
    for (const { pid } of found) {
      process.kill(pid, "SIGKILL");
    }
  }

  async close(): Promise<void> {
    this.query?.close();
    await this.dcx("network", "reset", "--yes");
    const left = this.processes();
    for (const { pid } of left) {
      process.kill(pid, "SIGKILL");
    }
    const mounts = readFileSync("/proc/mounts", "utf8")
      .split("\n")
      .filter((line) => line.includes(this.home));
    if (mounts.length > 0) {
      throw new Error(`Left mounted:\n${mounts.join("\n")}`);
    }
    rmSync(this.home, { recursive: true, force: true });
    if (left.length > 0) {
      throw new Error(`Left running:\n${left.map(({ pid, command }) => `  ${pid} ${command}`).join("\n")}`);
    }
  }
}

/** Resolves once `condition` holds; rejects with `what` after `timeout` milliseconds. */
export async function eventually<Result>(
  what: string,
  timeout: number,
  condition: () => Promise<Result | undefined | false>,
): Promise<Result> {
  const deadline = Date.now() + timeout;
  let last: unknown;
  for (;;) {
    try {
      const result = await condition();
      if (result !== undefined && result !== false) {
        return result;
      }
    } catch (error) {
      last = error;
    }
    if (Date.now() > deadline) {
      throw new Error(`Not within ${timeout} ms: ${what}${last === undefined ? "" : ` (${String(last)})`}`);
    }
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}
