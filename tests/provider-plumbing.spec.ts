import { type ChildProcess, execFileSync, spawn, spawnSync } from "node:child_process";
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { buildSync } from "esbuild";
import { stringify } from "yaml";

// Plain JavaScript without types: it runs before anything is installed.
const engine: {
  findOrBuildEngine(options: { log: (line: string) => void }): Promise<{ bin: string }>;
} = require("../tools/engine.cjs");

const root = resolve(__dirname, "..");
const home = mkdtempSync(join(tmpdir(), "dcx-plumbing-"));
const plugin = join(home, "plugin");
let environment: NodeJS.ProcessEnv;
const children: ChildProcess[] = [];

beforeAll(async () => {
  const { bin } = await engine.findOrBuildEngine({ log: (line) => process.stderr.write(`${line}\n`) });
  mkdirSync(plugin);
  mkdirSync(join(home, "backend"));
  buildSync({
    entryPoints: [join(root, "tests", "plumbing", "plugin.ts")],
    outfile: join(plugin, "plugin.cjs"),
    bundle: true,
    platform: "node",
    target: "node22",
    format: "cjs",
    alias: { "@dcx/protocol": join(root, "protocol", "src", "index.ts") },
    external: ["secp256k1", "bufferutil", "utf-8-validate"],
    logLevel: "error",
  });
  writeFileSync(join(home, "package.json"), JSON.stringify({ version: "0.1.0" }));
  const launcher = join(plugin, "pulumi-resource-dcx");
  writeFileSync(launcher, `#!/bin/sh\nexec "${process.execPath}" "${join(plugin, "plugin.cjs")}" "$@"\n`);
  chmodSync(launcher, 0o755);
  environment = {
    ...process.env,
    PATH: `${bin}:${process.env["PATH"]}`,
    PLUMBING_HOME: home,
    PULUMI_HOME: join(home, "pulumi"),
    PULUMI_BACKEND_URL: `file://${join(home, "backend")}`,
    PULUMI_CONFIG_PASSPHRASE: "a passphrase of the tests",
    PULUMI_SKIP_UPDATE_CHECK: "true",
    PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION: "true",
  };
}, 600_000);

afterAll(() => {
  for (const child of children) {
    child.kill("SIGKILL");
  }
  rmSync(home, { recursive: true, force: true });
});

const capacity = { main: { resources: [{ cpu: 1, memory: "512Mi", disk: "1Gi", maxPrice: "0.40" }] } };

interface ProgramOptions {
  readonly workload?: Readonly<Record<string, unknown>>;
  readonly config?: Readonly<Record<string, unknown>>;
  readonly deployment?: string;
}

/** A project of its own with a deployment and a workload on it. */
class Project {
  readonly directory: string;

  constructor(
    readonly name: string,
    options: ProgramOptions = {},
  ) {
    this.directory = join(home, name);
    mkdirSync(this.directory);
    this.write(options);
    this.pulumi("stack", "init", "test");
  }

  write({ workload = {}, config = {}, deployment = "${shop}" }: ProgramOptions): void {
    const program = {
      name: this.name,
      runtime: "yaml",
      plugins: { providers: [{ name: "dcx", path: plugin }] },
      config: { "dcx:network": { value: "embedded" }, ...config },
      resources: {
        shop: { type: "dcx:Deployment", properties: { infrastructures: capacity } },
        api: {
          type: "dcx:Workload",
          properties: { deployment, infrastructure: "main", container: "x:1", ...workload },
        },
      },
      outputs: { name: "${api.name}", deployment: "${api.deployment}" },
    };
    writeFileSync(join(this.directory, "Pulumi.yaml"), stringify(program));
  }

  /** What a command printed. Throws with all of it when the command fails. */
  pulumi(...command: string[]): string {
    try {
      return execFileSync("pulumi", [...command, "--non-interactive"], {
        cwd: this.directory,
        env: environment,
        encoding: "utf8",
        stdio: ["ignore", "pipe", "pipe"],
      });
    } catch (error) {
      const { stdout, stderr } = error as { readonly stdout: string; readonly stderr: string };
      throw new Error(`${stdout}\n${stderr}`);
    }
  }

  failing(...command: string[]): string {
    try {
      this.pulumi(...command);
    } catch (error) {
      return error instanceof Error ? error.message : String(error);
    }
    throw new Error(`pulumi ${command.join(" ")} succeeded`);
  }

  start(...command: string[]): ChildProcess {
    const child = spawn("pulumi", [...command, "--non-interactive"], {
      cwd: this.directory,
      env: environment,
      stdio: "ignore",
    });
    children.push(child);
    return child;
  }

  get state(): string {
    return readFileSync(join(home, "backend", ".pulumi", "stacks", this.name, "test.json"), "utf8");
  }
}

function objects(): readonly string[] {
  return readdirSync(home).filter((file) => file.startsWith("object-"));
}

async function until<T>(look: () => T | undefined, what: string): Promise<T> {
  const end = Date.now() + 30_000;
  for (;;) {
    const found = look();
    if (found !== undefined) {
      return found;
    }
    if (Date.now() > end) {
      throw new Error(`waited in vain for ${what}`);
    }
    await new Promise((done) => setTimeout(done, 50));
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

describe("the plugin under the real engine", () => {
  jest.setTimeout(300_000);

  it("previews, creates, sees no change, updates, refreshes and destroys", () => {
    const project = new Project("lifecycle");
    expect(project.pulumi("preview")).toContain("+ 3 to create");
    expect(objects()).toEqual([]);
    project.pulumi("up", "--yes");
    expect(objects()).toEqual(["object-api", "object-shop"]);
    // The program passes the resource itself: it arrives as a reference and is an id from then on.
    expect(new Set(readFileSync(join(home, "deployments"), "utf8").trim().split("\n"))).toEqual(new Set(["reference"]));
    expect(JSON.parse(project.pulumi("stack", "output", "--json"))).toEqual({ name: "api", deployment: "shop" });
    project.pulumi("up", "--yes", "--expect-no-changes");
    project.pulumi("refresh", "--yes", "--expect-no-changes");
    project.write({ workload: { count: 2 } });
    expect(project.pulumi("preview", "--diff")).toMatch(/\+ count\s*: 2/);
    project.pulumi("up", "--yes");
    // Moving from the resource to its id is no change.
    project.write({ workload: { count: 2 }, deployment: "${shop.id}" });
    project.pulumi("preview", "--expect-no-changes");
    rmSync(join(home, "object-api"));
    // Gone behind the engine's back: a plain preview sees it, for reading comes before updating.
    expect(project.pulumi("preview")).toContain("+ 1 to create");
    project.pulumi("destroy", "--yes");
    expect(objects()).toEqual([]);
  });

  it("keeps a failed initialization in the state and resumes it by an update", () => {
    const project = new Project("resume");
    writeFileSync(join(home, "fail-once-shop"), "");
    const failure = project.failing("up", "--yes");
    expect(failure).toContain("no lease for infrastructure main");
    expect(failure).toContain("nobody has bid");
    expect(JSON.stringify(JSON.parse(project.state))).toContain("initErrors");
    rmSync(join(home, "fail-once-shop"));
    expect(project.pulumi("up", "--yes")).toContain("resuming shop");
    expect(project.state).not.toContain("initErrors");
    project.pulumi("destroy", "--yes");
  });

  it("writes no secret to disk in plaintext and prints none in a refusal", () => {
    const hush = "correct-horse-battery-staple";
    const project = new Project("secrets");
    project.pulumi("config", "set", "--secret", "database", hush);
    const environmentOf = { config: { database: { type: "string", secret: true } } };
    project.write({ ...environmentOf, workload: { environment: { DATABASE: "${database}" } } });
    const printed = project.pulumi("up", "--yes") + project.pulumi("preview", "--diff");
    expect(printed).not.toContain(hush);
    expect(project.state).not.toContain(hush);
    expect(project.state).toContain("ciphertext");
    project.write({ ...environmentOf, workload: { container: "refuse", environment: { DATABASE: "${database}" } } });
    const refused = project.failing("up", "--yes");
    expect(refused).toContain("environment: is refused");
    expect(refused).not.toContain(hush);
    project.write(environmentOf);
    project.pulumi("destroy", "--yes");
  });

  it("pitfall 1.3.5: marks the provider's credentials secret even where they were written in plaintext, and refuses without quoting", () => {
    const key = "ab".repeat(32);
    const config = { "dcx:network": { value: "https://rpc.example.org" }, "dcx:privateKey": { value: key } };
    const project = new Project("credentials", { config });
    project.pulumi("up", "--yes");
    expect(project.state).not.toContain(key);
    project.write({ config: { ...config, "dcx:privateKey": { value: `${key}00` } } });
    const refused = project.failing("preview");
    expect(refused).toContain("dcx:privateKey: must be 64 hexadecimal digits");
    expect(refused).not.toContain(key);
    project.write({ config });
    project.pulumi("destroy", "--yes");
  });

  it("ends a waiting create soon after ^C, and keeps what there is", async () => {
    const project = new Project("cancelled");
    writeFileSync(join(home, "hang-shop"), "");
    const up = project.start("up", "--yes", "--skip-preview");
    const pid = await until(() => hangingPid("shop"), "the create to hang");
    const began = Date.now();
    up.kill("SIGINT");
    await until(() => (up.exitCode !== null || up.signalCode !== null ? true : undefined), "the engine to end");
    // The engine gives a plugin five seconds before it kills it.
    expect(Date.now() - began).toBeLessThan(4500);
    expect(isAlive(pid)).toBe(false);
    expect(project.state).toContain("cancelled while waiting");
    rmSync(join(home, "hang-shop"));
    rmSync(join(home, "hanging-shop"));
    project.pulumi("destroy", "--yes");
  });

  it("pitfall 1.3.12: says what happened where something fails that nobody waits for, and keeps the state", () => {
    const project = new Project("crashing");
    writeFileSync(join(home, "crash-shop"), "");
    const failure = project.failing("up", "--yes", "--skip-preview");
    expect(failure).toMatch(/dcx has made a mistake of its own and has to stop[\s\S]*nobody catches this/);
    rmSync(join(home, "crash-shop"));
    project.pulumi("up", "--yes", "--skip-preview");
    project.pulumi("destroy", "--yes");
  });

  it("pitfall 1.3.13: what is printed by accident does not reach standard output", () => {
    // The plugin of these tests prints a stray line before its port: with it on standard output none of them would run.
    const { stdout, stderr } = spawnSync("timeout", ["--signal=INT", "5", join(plugin, "pulumi-resource-dcx")], {
      env: environment,
      encoding: "utf8",
    });
    expect(stdout).toMatch(/^\d+\n$/);
    expect(stderr).toContain("a stray line");
  });

  it("pitfall 1.3.16: an import works in a YAML project, and keeps what Read marks secret encrypted", () => {
    const project = new Project("importing");
    project.pulumi("up", "--yes", "--skip-preview");
    const file = join(home, "imported.yaml");
    project.pulumi("import", "dcx:index:Workload", "again", "api", "--yes", "--protect=false", "--out", file);
    expect(readFileSync(file, "utf8")).toMatch(/type: dcx:Workload/);
    expect(project.state).toContain("::again");
    expect(project.state).not.toContain("planted in an import");
    project.pulumi("destroy", "--yes");
  });

  it("pitfall 3.16: no ordinary command ends with a plugin that exited prematurely", () => {
    const project = new Project("quiet");
    const said = [
      project.pulumi("preview"),
      project.pulumi("up", "--yes"),
      project.pulumi("refresh", "--yes"),
      project.pulumi("destroy", "--yes"),
    ];
    expect(said.join("\n")).not.toMatch(/prematurely|error|warning/i);
  });

  it("leaves no plugin behind when the engine is killed", async () => {
    const project = new Project("orphan");
    writeFileSync(join(home, "hang-shop"), "");
    const up = project.start("up", "--yes", "--skip-preview");
    const pid = await until(() => hangingPid("shop"), "the create to hang");
    up.kill("SIGKILL");
    await until(() => (isAlive(pid) ? undefined : true), "the plugin to end");
    rmSync(join(home, "hang-shop"));
    project.pulumi("cancel", "--yes");
  });
});

function hangingPid(name: string): number | undefined {
  const file = join(home, `hanging-${name}`);
  const text = existsSync(file) ? readFileSync(file, "utf8") : "";
  return text === "" ? undefined : Number(text);
}
