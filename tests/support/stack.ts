import { execFile, spawnSync } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import type { EngineEvent } from "@pulumi/pulumi/automation";
import { LocalWorkspace, PulumiCommand, type Stack as PulumiStack } from "@pulumi/pulumi/automation";
import { stringify } from "yaml";
import { root } from "./root";

/** What a YAML program declares beside its name and runtime. */
export interface Program {
  readonly config?: Readonly<Record<string, unknown>>;
  readonly variables?: Readonly<Record<string, unknown>>;
  readonly resources: Readonly<Record<string, unknown>>;
  readonly outputs?: Readonly<Record<string, unknown>>;
}

/** What an operation did or would do to one resource. */
export interface Step {
  readonly name: string;
  readonly type: string;
  readonly operation: string;
  /** Paths that differ. */
  readonly diffs: readonly string[];
}

export interface Outcome {
  readonly text: string;
  /** Steps other than "same", without the stack itself. */
  readonly steps: readonly Step[];
  /** Messages that the provider left beside resources. */
  readonly diagnostics: string;
  /** The same by resource. */
  readonly said: ReadonlyMap<string, string>;
  /**
   * Properties of each resource after its last step but a deletion, also of those that stay as they are: secrets hidden,
   * what a preview does not know as the wire writes it.
   */
  readonly properties: ReadonlyMap<string, Readonly<Record<string, unknown>>>;
}

interface ExportedResource {
  readonly urn: string;
  readonly type: string;
  readonly id?: string;
  readonly outputs?: Readonly<Record<string, unknown>>;
  readonly initErrors?: readonly string[] | null;
  readonly delete?: boolean;
}

export interface KeptResource {
  readonly urn: string;
  readonly type: string;
  readonly id: string | undefined;
  readonly outputs: Readonly<Record<string, unknown>>;
  /** Whether its initialization has failed and was not resumed. */
  readonly failed: boolean;
  /** Whether it is only kept to be deleted. */
  readonly deleted: boolean;
}

/**
 * The backend that keeps states in a folder. Without what it would write beside each file: that is not written in one go,
 * and an engine that was killed meanwhile leaves a stack that none can load (docs/guides/troubleshooting.md, "Engine").
 */
export function fileBackend(folder: string): string {
  return `file://${folder}?metadata=skip`;
}

const run = promisify(execFile);
/** Found once: the Automation API asks for its version each time otherwise. */
let command: Promise<PulumiCommand> | undefined;

const plugin = { providers: [{ name: "dcx", path: join(root, "provider", "bin") }] };

/** A stack of one YAML program under the real engine. */
export class Stack {
  private constructor(
    readonly directory: string,
    private readonly name: string,
    private readonly stack: PulumiStack,
    private readonly environment: Readonly<Record<string, string>>,
  ) {}

  static async create(
    name: string,
    directory: string,
    program: Program,
    environment: Readonly<Record<string, string>>,
  ): Promise<Stack> {
    mkdirSync(directory, { recursive: true });
    write(directory, name, program);
    command ??= PulumiCommand.get();
    const stack = await LocalWorkspace.createOrSelectStack(
      { stackName: "test", workDir: directory },
      { envVars: { ...environment }, pulumiCommand: await command },
    );
    // After each operation the Automation API asks for these in three further commands. Nothing here reads its answers.
    stack.outputs = async () => ({});
    stack.info = async () => undefined;
    return new Stack(directory, name, stack, environment);
  }

  /** Sets the stack's configuration, secrets encrypted. */
  configure(settings: Readonly<Record<string, { readonly value: string; readonly secret?: boolean }>>): Promise<void> {
    return this.stack.setAllConfig({ ...settings });
  }

  /** Changes the program. */
  write(program: Program): void {
    write(this.directory, this.name, program);
  }

  up(
    options: { readonly parallel?: number; readonly signal?: AbortSignal; readonly replace?: string[] } = {},
  ): Promise<Outcome> {
    return observe((watch) => this.stack.up({ ...watch, ...options, color: "never" }));
  }

  preview(options: { readonly parallel?: number } = {}): Promise<Outcome> {
    return observe((watch) => this.stack.preview({ ...watch, ...options, color: "never" }));
  }

  refresh(options: { readonly parallel?: number } = {}): Promise<Outcome> {
    return observe((watch) => this.stack.refresh({ ...watch, ...options, color: "never" }));
  }

  destroy(options: { readonly parallel?: number } = {}): Promise<Outcome> {
    return observe((watch) => this.stack.destroy({ ...watch, ...options, color: "never" }));
  }

  cancel(): Promise<void> {
    return this.stack.cancel();
  }

  async setSecret(key: string, value: string): Promise<void> {
    await this.stack.setConfig(key, { value, secret: true });
  }

  /** Runs the command line itself, for what the Automation API does not ask of it. `text`: all that it printed. */
  run(...command: readonly string[]): { readonly status: number | null; readonly text: string } {
    const { status, stdout, stderr } = spawnSync("pulumi", [...command, "--non-interactive", "--stack", "test"], {
      cwd: this.directory,
      env: { ...process.env, ...this.environment },
      encoding: "utf8",
      maxBuffer: 512 * 2 ** 20,
    });
    return { status, text: `${stdout}${stderr}` };
  }

  async outputs(): Promise<Readonly<Record<string, unknown>>> {
    const { stdout } = await run("pulumi", ["stack", "output", "--json", "--show-secrets", "--stack", "test"], {
      cwd: this.directory,
      env: { ...process.env, ...this.environment },
      maxBuffer: 512 * 2 ** 20,
    });
    return JSON.parse(stdout) as Record<string, unknown>;
  }

  /** What the state says of each resource, secrets in clear. */
  async state(): Promise<readonly KeptResource[]> {
    const { deployment } = await this.stack.exportStack();
    const { resources = [] } = deployment as { resources?: ExportedResource[] };
    return resources.map(({ urn, type, id, outputs = {}, initErrors, delete: deleted }) => ({
      urn,
      type,
      id,
      outputs,
      failed: (initErrors ?? []).length > 0,
      deleted: deleted === true,
    }));
  }

  /** The state as exported, secrets in clear. */
  async resources(): Promise<
    readonly { urn: string; id?: string; inputs?: Record<string, unknown>; outputs?: Record<string, unknown> }[]
  > {
    return (await this.stack.exportStack()).deployment.resources ?? [];
  }
}

function write(directory: string, name: string, program: Program): void {
  const text = stringify(
    { name, runtime: "yaml", plugins: plugin, config: { "dcx:network": { value: "embedded" } }, ...program },
    // Pulumi reads no aliases.
    { aliasDuplicateObjects: false },
  );
  writeFileSync(join(directory, "Pulumi.yaml"), text);
}

interface Watch {
  readonly onOutput: (text: string) => void;
  readonly onEvent: (event: EngineEvent) => void;
}

/** Runs an operation and gathers what the engine said. A failure carries the whole text. */
async function observe(operation: (watch: Watch) => Promise<unknown>): Promise<Outcome> {
  const texts: string[] = [];
  const diagnostics: string[] = [];
  const steps: Step[] = [];
  const said = new Map<string, string>();
  const properties = new Map<string, Readonly<Record<string, unknown>>>();
  const onEvent = (event: EngineEvent): void => {
    const metadata = event.resourcePreEvent?.metadata;
    if (metadata !== undefined && metadata.op !== "same" && metadata.type !== "pulumi:pulumi:Stack") {
      steps.push({
        name: nameOf(metadata.urn),
        type: metadata.type,
        operation: metadata.op,
        diffs: Object.keys(metadata.detailedDiff ?? {}).sort(),
      });
    }
    if (event.diagnosticEvent !== undefined && !event.diagnosticEvent.ephemeral) {
      const { urn = "", message } = event.diagnosticEvent;
      diagnostics.push(message);
      said.set(nameOf(urn), `${said.get(nameOf(urn)) ?? ""}${message}`);
    }
    const done = event.resOutputsEvent?.metadata;
    if (done?.new !== undefined && !done.type.startsWith("pulumi:") && !/^(delete|refresh|read)/.test(done.op)) {
      properties.set(nameOf(done.urn), done.new.outputs);
    }
  };
  try {
    await operation({ onOutput: (text) => texts.push(text), onEvent });
  } catch (error) {
    throw new Error(`${(error as Error).message}\n${diagnostics.join("\n")}`, { cause: error });
  }
  return {
    text: texts.join(""),
    steps: steps.filter(
      // A refresh before the update that found nothing is no change.
      ({ type, operation, diffs }) =>
        !type.startsWith("pulumi:providers:") && !(operation === "refresh" && diffs.length === 0),
    ),
    diagnostics: diagnostics.join("\n"),
    said,
    properties,
  };
}

function nameOf(urn: string): string {
  return urn.split("::").at(-1) ?? "";
}
