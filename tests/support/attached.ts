import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { createServer, type Server } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createComponents } from "../../provider/src/components";
import type { NetworkDriver } from "../../provider/src/network/driver";
import { resourcesOn } from "../../provider/src/resources";
import type { SessionSettings } from "../../provider/src/resources/session";
import { schemaText } from "../../provider/src/schema/package-schema";
import { type RunningProvider, serve } from "../../provider/src/server/serve";
import type { Declared, Made, Program as ModelProgram } from "../../provider/src/testing/program";
import { version } from "../../provider/src/version";
import { Secret, type Value } from "../../provider/src/wire/value";
import { fileBackend, type Outcome, type Program, Stack } from "./stack";

export interface AttachedOptions {
  /** Resources that the engine works on at once. */
  readonly parallel: number;
  readonly settings?: Partial<SessionSettings>;
  /** Of the project, and so part of each URN. */
  readonly project?: string;
  /** Begins with the state that this one has now. */
  readonly like?: AttachedStack;
}

/**
 * A stack under the real engine, whose provider is in this process on a network of the test's: the engine's own part,
 * programs and state files are real, and the network does what the test says.
 */
export class AttachedStack {
  private constructor(
    readonly home: string,
    readonly stack: Stack,
    private readonly provider: RunningProvider,
    private readonly listener: Server,
    private readonly parallel: number,
  ) {}

  static async create(network: NetworkDriver, options: AttachedOptions): Promise<AttachedStack> {
    const home = mkdtempSync(join(tmpdir(), "dcx-attached-"));
    const { parallel, like, project = "project" } = options;
    const settings = { namespace: "", timeout: 30, skipAwait: false, ...options.settings };
    const provider = serve({
      version,
      environment: {},
      load: async () => resourcesOn(network, settings),
      components: async () => createComponents(),
      schema: async () => schemaText(),
    });
    const listener = createServer(provider.accept);
    const port = await new Promise<number>((resolve) => {
      listener.listen(0, "127.0.0.1", () => {
        const bound = listener.address();
        resolve(typeof bound === "object" && bound !== null ? bound.port : 0);
      });
    });
    mkdirSync(join(home, "backend"));
    if (like !== undefined) {
      cpSync(join(like.home, "backend"), join(home, "backend"), { recursive: true });
    }
    const stack = await Stack.create(
      project,
      join(home, "program"),
      { resources: {} },
      {
        PULUMI_HOME: join(home, "pulumi"),
        PULUMI_BACKEND_URL: fileBackend(join(home, "backend")),
        PULUMI_CONFIG_PASSPHRASE: "a passphrase of the tests",
        PULUMI_SKIP_UPDATE_CHECK: "true",
        PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION: "true",
        PULUMI_DEBUG_PROVIDERS: `dcx:${port}`,
      },
    );
    return new AttachedStack(home, stack, provider, listener, parallel);
  }

  /** The program as a person writes it. */
  yaml(program: ModelProgram): Program {
    return yamlOf(program);
  }

  preview(program: ModelProgram): Promise<Outcome> {
    this.stack.write(yamlOf(program));
    return this.stack.preview({ parallel: this.parallel });
  }

  up(program: ModelProgram): Promise<Outcome> {
    this.stack.write(yamlOf(program));
    return this.stack.up({ parallel: this.parallel });
  }

  refresh(): Promise<Outcome> {
    return this.stack.refresh({ parallel: this.parallel });
  }

  destroy(): Promise<Outcome> {
    return this.stack.destroy({ parallel: this.parallel });
  }

  /** The state without the engine's own resources, by name, secrets in clear. */
  async kept(): Promise<ReadonlyMap<string, Readonly<Record<string, unknown>>>> {
    const resources = (await this.stack.state()).filter(({ type }) => type.startsWith("dcx:"));
    return new Map(resources.map(({ urn, id, outputs }) => [urn.split("::").at(-1) ?? "", { id, ...outputs }]));
  }

  /** SIGKILL of the engine that works on this stack now, with what runs programs for it. Throws where there is none. */
  killEngine(): void {
    this.#signal("SIGKILL", /^pulumi/);
  }

  /** As ^C in its terminal: the engine ends in order. Throws where none works on this stack now. */
  interruptEngine(): void {
    this.#signal("SIGINT", /^pulumi$/m);
  }

  #signal(signal: NodeJS.Signals, program: RegExp): void {
    const engines = readdirSync("/proc").filter((pid) => /^\d+$/.test(pid) && this.#isEngine(pid, program));
    if (engines.length === 0) {
      throw new Error("No engine works on this stack.");
    }
    for (const pid of engines) {
      process.kill(Number(pid), signal);
    }
  }

  close(): void {
    this.provider.close();
    this.listener.close();
    rmSync(this.home, { recursive: true, force: true });
  }

  #isEngine(pid: string, program: RegExp): boolean {
    try {
      const own = readFileSync(`/proc/${pid}/environ`, "utf8").includes(`PULUMI_HOME=${join(this.home, "pulumi")}`);
      return own && program.test(readFileSync(`/proc/${pid}/comm`, "utf8"));
    } catch {
      // It has ended since it was listed.
      return false;
    }
  }
}

/** What an operation fails with. Throws where it does not fail. */
export async function failureOf(operation: Promise<Outcome>): Promise<string> {
  const outcome = await operation.catch((error: unknown) => (error instanceof Error ? error.message : String(error)));
  if (typeof outcome === "string") {
    return outcome;
  }
  throw new Error(`It succeeded:\n${outcome.text}`);
}

/** The same program as YAML: what refers to another resource does so by interpolation. */
function yamlOf(program: ModelProgram): Program {
  const of = (name: string): Made => ({
    id: `\${${name}.id}`,
    outputs: new Proxy({}, { get: (_target, property) => `\${${name}.${String(property)}}` }),
  });
  const resource = ({ type, inputs, timeout }: Declared): unknown => ({
    type: `dcx:${type}`,
    properties: plain(inputs(of)),
    ...(timeout === undefined ? {} : { options: { customTimeouts: { create: `${timeout}s`, update: `${timeout}s` } } }),
  });
  return { resources: Object.fromEntries(Object.entries(program).map(([name, one]) => [name, resource(one)])) };
}

function plain(value: Value): unknown {
  if (value instanceof Secret) {
    return { "fn::secret": plain(value.reveal()) };
  }
  if (Array.isArray(value)) {
    return value.map(plain);
  }
  return typeof value === "object" && value !== null
    ? Object.fromEntries(Object.entries(value).map(([key, one]) => [key, plain(one)]))
    : value;
}
