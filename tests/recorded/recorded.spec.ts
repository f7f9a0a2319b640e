import { execFile } from "node:child_process";
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { createServer, type Server } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { z } from "zod";
import { createComponents } from "../../provider/src/components";
import type { ModelNetwork } from "../../provider/src/network/model/model-network";
import { resourcesOn } from "../../provider/src/resources";
import { schemaText } from "../../provider/src/schema/package-schema";
import { type RunningProvider, serve } from "../../provider/src/server/serve";
import { version } from "../../provider/src/version";
import { emptyNetwork, readNetwork, writeNetwork } from "./recording";

jest.setTimeout(300_000);

/** Promise: what a version of dcx has deployed, every later one previews without a change (README.md here). */

const run = promisify(execFile);
const passphrase = "a passphrase of the tests";
/** How each is declared, and how many resources that makes. */
const forms: Readonly<Record<string, number>> = { inline: 1, separate: 6, application: 2 };
const recorded = readdirSync(__dirname, { withFileTypes: true })
  .filter((entry) => entry.isDirectory())
  .flatMap((entry) =>
    Object.keys(forms).map((form) => ({ of: entry.name, form, folder: join(__dirname, entry.name, form) })),
  );

const Change = z.object({ changeSummary: z.record(z.string(), z.number()) });

/** A stack under the real engine, whose provider is this process on a network of the test's. */
class RecordedStack {
  readonly #home = mkdtempSync(join(tmpdir(), "dcx-recorded-"));
  #provider: RunningProvider | undefined;
  #listener: Server | undefined;
  #port = 0;

  constructor(folder: string) {
    mkdirSync(join(this.#home, "backend"));
    mkdirSync(join(this.#home, "program"));
    copyFileSync(join(folder, "Pulumi.yaml"), join(this.#home, "program", "Pulumi.yaml"));
  }

  async start(network: ModelNetwork): Promise<void> {
    const settings = { namespace: "recorded", timeout: 60, skipAwait: false };
    this.#provider = serve({
      version,
      environment: {},
      load: async () => resourcesOn(network, settings),
      components: async () => createComponents(),
      schema: async () => schemaText(),
    });
    const listener = createServer(this.#provider.accept);
    this.#listener = listener;
    await new Promise<void>((resolve) => listener.listen(0, "127.0.0.1", resolve));
    const bound = listener.address();
    this.#port = typeof bound === "object" && bound !== null ? bound.port : 0;
    await this.pulumi("stack", "init", "test");
    await this.pulumi("config", "set", "dcx:network", "embedded");
    await this.pulumi("config", "set", "--secret", "registryPassword", "made up for a registry");
    await this.pulumi("config", "set", "--secret", "databasePassword", "made up for a database");
  }

  async pulumi(...args: readonly string[]): Promise<string> {
    const { stdout } = await run("pulumi", [...args, "--non-interactive"], {
      cwd: join(this.#home, "program"),
      maxBuffer: 2 ** 26,
      env: {
        ...process.env,
        PULUMI_HOME: join(this.#home, "pulumi"),
        PULUMI_BACKEND_URL: `file://${join(this.#home, "backend")}`,
        PULUMI_CONFIG_PASSPHRASE: passphrase,
        PULUMI_SKIP_UPDATE_CHECK: "true",
        PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION: "true",
        PULUMI_DEBUG_PROVIDERS: `dcx:${this.#port}`,
      },
    }).catch((error: { readonly message: string; readonly stdout?: string }) => {
      // The engine says on its standard output what went wrong.
      throw new Error(`${error.message}\n${error.stdout ?? ""}`, { cause: error });
    });
    return stdout;
  }

  /** What a command would do or did, by operation. */
  async changes(...args: readonly string[]): Promise<Readonly<Record<string, number>>> {
    return Change.parse(JSON.parse(await this.pulumi(...args, "--json"))).changeSummary;
  }

  close(): void {
    this.#provider?.close();
    this.#listener?.close();
    rmSync(this.#home, { recursive: true, force: true });
  }
}

test.each(recorded)("$form, as dcx $of left it: no change", async ({ form, folder }) => {
  const stack = new RecordedStack(folder);
  const [state, network] = ["state.json", "network.json"].map((name) => join(folder, name)) as [string, string];
  const resources = forms[form] ?? 0;
  try {
    if (process.env["DCX_RECORD_STATES"] === "1" && !existsSync(state)) {
      const made = emptyNetwork();
      await stack.start(made);
      await stack.pulumi("up", "--yes", "--skip-preview");
      writeFileSync(state, withoutTimes(await stack.pulumi("stack", "export")));
      writeFileSync(network, writeNetwork(made));
      return;
    }
    const model = readNetwork(readFileSync(network, "utf8"));
    await stack.start(model);
    await stack.pulumi("stack", "import", "--file", state);
    // The stack is one more.
    expect(await stack.changes("preview")).toEqual({ same: resources + 1 });
    await stack.pulumi("refresh", "--yes", "--skip-preview", "--expect-no-changes");
    await stack.pulumi("up", "--yes", "--skip-preview", "--expect-no-changes");
    expect(model.transactions).toEqual([]);
  } finally {
    stack.close();
  }
});

test("the version of today is recorded", () => {
  expect(recorded.map(({ of }) => of)).toContain(version);
});

test("a state that differs is told", async () => {
  const [{ folder }] = recorded as [(typeof recorded)[number]];
  const stack = new RecordedStack(folder);
  try {
    const model = readNetwork(readFileSync(join(folder, "network.json"), "utf8"));
    for (const deployment of model.deployments.values()) {
      model.change(deployment, (one) => ({ ...one, version: "0".repeat(64), revision: one.revision + 1n }));
    }
    await stack.start(model);
    await stack.pulumi("stack", "import", "--file", join(folder, "state.json"));
    await expect(stack.pulumi("preview", "--expect-no-changes")).rejects.toThrow();
  } finally {
    stack.close();
  }
});

/** The state without what only says when, and where in a program, something was made. */
function withoutTimes(state: string): string {
  const parsed: unknown = JSON.parse(state, (key, value: unknown) => {
    if (key === "sourcePosition" || key === "stackTrace") {
      return undefined;
    }
    return ["created", "modified", "time"].includes(key) ? "2026-01-01T00:00:00Z" : value;
  });
  return `${JSON.stringify(parsed, null, 2)}\n`;
}
