import { mkdirSync, writeFileSync } from "node:fs";
import { delimiter, join } from "node:path";
import { pathToFileURL } from "node:url";
import { stringify } from "yaml";
import { root } from "../../support/root";
import { outputOf } from "../processes";

/** The folder of the `pulumi` command that `npm test` runs on too. */
export async function findEngine(): Promise<string> {
  const script = `require(${JSON.stringify(join(root, "tools", "engine.cjs"))}).findOrBuildEngine({ log: console.error })
    .then(({ bin }) => process.stdout.write(bin), (error) => { console.error(error.message); process.exitCode = 1; })`;
  return outputOf(process.execPath, ["-e", script]);
}

export interface StackOptions {
  readonly engine: string;
  /** A folder of its own: program, state backend and Pulumi's home lie in it. */
  readonly folder: string;
  readonly name: string;
  /** The folder with `pulumi-resource-dcx`. */
  readonly plugin: string;
  readonly resources: number;
  /** Of the plugin: which exchange, which key. */
  readonly environment: Readonly<Record<string, string>>;
}

/** A stack of that many deployments that await nothing, under the real engine's command. */
export class BenchStack {
  private constructor(
    private readonly directory: string,
    private readonly environment: NodeJS.ProcessEnv,
  ) {}

  static async create(options: StackOptions): Promise<BenchStack> {
    const directory = join(options.folder, "program");
    const backend = join(options.folder, "backend");
    mkdirSync(directory, { recursive: true });
    mkdirSync(backend);
    writeFileSync(join(directory, "Pulumi.yaml"), program(options));
    const stack = new BenchStack(directory, {
      ...process.env,
      ...options.environment,
      DCX_NODE: process.execPath,
      PATH: `${options.engine}${delimiter}${process.env["PATH"]}`,
      PULUMI_HOME: join(options.folder, "home"),
      PULUMI_BACKEND_URL: pathToFileURL(backend).href,
      PULUMI_CONFIG_PASSPHRASE: "a passphrase of the benchmark",
      PULUMI_SKIP_UPDATE_CHECK: "true",
      PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION: "true",
    });
    await stack.pulumi("stack", "init", options.name);
    return stack;
  }

  /** The same stack under more of an environment. */
  with(environment: Readonly<Record<string, string>>): BenchStack {
    return new BenchStack(this.directory, { ...this.environment, ...environment });
  }

  /** Rejects where it shows a change. */
  async previewNothing(): Promise<void> {
    await this.pulumi("preview", "--expect-no-changes");
  }

  async up(): Promise<void> {
    await this.pulumi("up", "--yes", "--skip-preview");
  }

  /**
   * The same where nobody measures how long it takes: the engine writes its state at the end alone. Else it writes all of
   * it at each step, which with a thousand resources is most of the time.
   */
  async make(): Promise<void> {
    await this.with({ PULUMI_EXPERIMENTAL: "true", PULUMI_SKIP_CHECKPOINTS: "true" }).up();
  }

  /** Rejects where it changes something. */
  async upNothing(): Promise<void> {
    await this.pulumi("up", "--yes", "--skip-preview", "--expect-no-changes");
  }

  private async pulumi(...args: readonly string[]): Promise<void> {
    const global = ["--cwd", this.directory, "--non-interactive", "--color", "never"];
    await outputOf("pulumi", [...args, ...global], this.environment);
  }
}

/** The program says nothing about the network: the plugin's environment does. */
function program({ name, plugin, resources }: StackOptions): string {
  const deployment = {
    type: "dcx:Deployment",
    properties: {
      infrastructures: {
        main: {
          region: "us-west",
          resources: [{ cpu: "100m", memory: "128Mi", disk: "256Mi", maxPrice: "0.25/h" }],
        },
      },
      skipAwait: true,
    },
  };
  const names = Array.from({ length: resources }, (_, index) => `d${index}`);
  return stringify(
    {
      name,
      runtime: "yaml",
      plugins: { providers: [{ name: "dcx", path: plugin }] },
      resources: Object.fromEntries(names.map((one) => [one, deployment])),
    },
    { aliasDuplicateObjects: false },
  );
}
