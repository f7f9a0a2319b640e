import { execFile, execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { parse } from "yaml";
import { z } from "zod";
import { root } from "../support/root";

jest.setTimeout(600_000);

/**
 * The SDKs that nothing else here compiles, each with its example. What is fetched for that is kept in `.cache/sdks`
 * under a name made of what asks for it.
 */

const run = promisify(execFile);
const cache = join(root, ".cache", "sdks");
const examples = join(root, "examples", "two-tier");
let work: string;

beforeAll(() => {
  mkdirSync(cache, { recursive: true });
  work = mkdtempSync(join(tmpdir(), "dcx-sdks-"));
});
afterAll(() => rmSync(work, { recursive: true, force: true }));

/** A test where the programs that it needs are there; else one that is skipped and says what is missing. */
function withTools(programs: readonly string[], name: string, body: () => Promise<void>): void {
  const missing = programs.filter((program) => !responds(program));
  if (missing.length === 0) {
    test(name, body);
  } else {
    test.skip(`${name} (there is no ${missing.join(" and no ")} here)`, body);
  }
}

withTools(["python3"], "Python: compiled, imported, and the example declares what the YAML program does", async () => {
  const sdk = join(root, "sdk", "python");
  const python = await pythonWith(readFileSync(join(sdk, "pyproject.toml")));
  const copy = join(work, "python");
  cpSync(sdk, copy, { recursive: true });
  await run(python, ["-m", "compileall", "-q", copy]);
  // Installed as a user does it; what it needs is there.
  const target = join(work, "site");
  const pip = ["-m", "pip", "install", "-q", "--disable-pip-version-check"];
  await run(python, [...pip, "--no-deps", "--no-build-isolation", "--target", target, copy]);
  expect(existsSync(join(target, "pulumi_dcx", "pulumi-plugin.json"))).toBe(true);
  const { stdout } = await run(
    python,
    [join(__dirname, "declared.py"), join(examples, "python", "__main__.py")],
    // Not where the SDK's sources are.
    { cwd: work, env: { ...process.env, PYTHONPATH: target, PYTHONDONTWRITEBYTECODE: "1" } },
  );
  expect(byName(Declared.parse(JSON.parse(stdout)))).toEqual(byName(declaredByYaml()));
});

withTools(["go"], "Go: compiled with the example", async () => {
  // In one workspace with the engine's modules, so that the same versions of what both need are compiled once.
  const workspace = join(work, "go.work");
  const folders = [join(root, "tools"), join(root, "sdk", "go"), join(examples, "go")];
  const [version] = /^go .*$/m.exec(readFileSync(join(root, "tools", "go.mod"), "utf8")) ?? [""];
  writeFileSync(workspace, `${version}\n\nuse (\n${folders.map((folder) => `\t${folder}`).join("\n")}\n)\n`);
  const env = { ...process.env, GOWORK: workspace, GOFLAGS: "-buildvcs=false" };
  await run("go", ["build", "./..."], { cwd: join(root, "sdk", "go"), env });
  await run("go", ["build", "-o", join(work, "example"), "."], { cwd: join(examples, "go"), env });
  expect(existsSync(join(work, "example"))).toBe(true);
});

withTools(["javac", "mvn"], "Java: compiled with the example", async () => {
  const pom = join(__dirname, "pom.xml");
  const classpath = await cached(`java-${nameOf(readFileSync(pom))}`, async (file) => {
    await run("mvn", ["-q", "-B", "-f", pom, "dependency:build-classpath", `-Dmdep.outputFile=${file}`]);
  });
  const sources = [join(root, "sdk", "java", "src"), join(examples, "java", "src")].flatMap((folder) =>
    readdirSync(folder, { recursive: true, encoding: "utf8" })
      .filter((name) => name.endsWith(".java"))
      .map((name) => join(folder, name)),
  );
  const list = join(work, "sources");
  writeFileSync(list, sources.join("\n"));
  const classes = join(work, "classes");
  const libraries = readFileSync(classpath, "utf8").trim();
  await run("javac", ["-proc:none", "-nowarn", "--release", "11", "-d", classes, "-cp", libraries, `@${list}`]);
  expect(existsSync(join(classes, "twotier", "App.class"))).toBe(true);
});

withTools(["dotnet"], ".NET: compiled with the example", async () => {
  for (const folder of ["sdk/dotnet", "examples/two-tier/csharp"]) {
    cpSync(join(root, folder), join(work, folder), { recursive: true });
  }
  await run("dotnet", ["build", "--nologo"], { cwd: join(work, "examples/two-tier/csharp") });
});

test("the schema passes Pulumi's own check, and is what the plugin answers", async () => {
  const schema = join(root, "provider", "cmd", "pulumi-resource-dcx", "schema.json");
  const env = { ...process.env, PULUMI_HOME: join(work, "pulumi"), PULUMI_SKIP_UPDATE_CHECK: "true" };
  await run("pulumi", ["schema", "check", schema], { env });
  const plugin = join(root, "provider", "bin", "pulumi-resource-dcx");
  const { stdout } = await run("pulumi", ["package", "get-schema", plugin], { env, maxBuffer: 2 ** 26 });
  // The engine writes it in its own form, without what is empty.
  const Names = z.object({
    version: z.string(),
    resources: z.record(z.string(), z.unknown()).transform(Object.keys),
    types: z.record(z.string(), z.unknown()).transform(Object.keys),
    functions: z.record(z.string(), z.unknown()).transform(Object.keys),
  });
  const sorted = (text: string): unknown =>
    Object.entries(Names.parse(JSON.parse(text))).map(([key, value]) => [key, [...value].sort()]);
  expect(sorted(stdout)).toEqual(sorted(readFileSync(schema, "utf8")));
});

test("the templates give projects: YAML previews, TypeScript compiles", async () => {
  const env = {
    ...process.env,
    PULUMI_HOME: join(work, "pulumi"),
    PULUMI_BACKEND_URL: `file://${mkdtempSync(join(work, "backend-"))}`,
    PULUMI_CONFIG_PASSPHRASE: "a passphrase of the tests",
    PULUMI_SKIP_UPDATE_CHECK: "true",
    PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION: "true",
    DCX_HOME: join(work, "dcx"),
    PATH: `${join(root, "provider", "bin")}:${process.env["PATH"]}`,
  };
  const project = join(work, "yaml");
  const template = join(root, "templates", "dcx-yaml");
  const named = ["--name", "my-application", "--description", "An application"];
  await run("pulumi", ["new", template, "--generate-only", "--yes", ...named, "--dir", project], { env });
  const within = { cwd: project, env };
  await run("pulumi", ["stack", "init", "dev"], within);
  await run("pulumi", ["config", "set", "dcx:network", "embedded"], within);
  expect((await run("pulumi", ["preview", "--non-interactive"], within)).stdout).toContain("dcx:index:Deployment");
  // In the checkout, where @dcx/pulumi is found.
  const typescript = mkdtempSync(join(cache, "template-"));
  try {
    cpSync(join(root, "templates", "dcx-typescript"), typescript, { recursive: true });
    const compiler = join(root, "node_modules", "typescript-native", "bin", "tsc");
    const strict = ["--strict", "--noEmit", "--module", "node16", "--target", "es2022", "--types", "node"];
    await run(process.execPath, [compiler, ...strict, "--ignoreConfig", "index.ts"], { cwd: typescript });
  } finally {
    rmSync(typescript, { recursive: true, force: true });
  }
});

test("the documentation shows the examples as they are", () => {
  const page = readFileSync(join(root, "docs", "_index.md"), "utf8");
  for (const file of ["python/__main__.py", "go/main.go", "csharp/Program.cs", "java/src/main/java/twotier/App.java"]) {
    expect(page).toContain(readFileSync(join(examples, file), "utf8").trimEnd());
  }
});

const Declared = z.array(z.object({ type: z.string(), name: z.string(), inputs: z.record(z.string(), z.unknown()) }));
type Declared = z.infer<typeof Declared>;

/** The same program in YAML, with its references resolved: ids are "<name>-id", names what is declared. */
function declaredByYaml(): Declared {
  const text = readFileSync(join(examples, "yaml", "Main.yaml"), "utf8");
  const program = z
    .object({
      resources: z.record(z.string(), z.object({ type: z.string(), properties: z.record(z.string(), z.unknown()) })),
    })
    .parse(parse(text.replaceAll("${shop.id}", "shop-id").replaceAll(/\$\{(\w+)\.name\}/g, "$1")));
  return Object.entries(program.resources).map(([name, { type, properties }]) => ({
    type: type.replace("dcx:", "dcx:index:"),
    // What YAML can't write in a name is in the property.
    name: typeof properties["name"] === "string" ? properties["name"] : name,
    inputs: properties,
  }));
}

const byName = (declared: Declared): Readonly<Record<string, unknown>> =>
  Object.fromEntries(declared.map(({ type, name, inputs }) => [name, { type, inputs }]));

/** A Python that has what the SDK asks for. */
async function pythonWith(project: Buffer): Promise<string> {
  const folder = await cached(`python-${nameOf(project)}`, async (aside) => {
    await run("python3", ["-m", "venv", aside]);
    const pip = [join(aside, "bin", "python"), "-m", "pip", "install", "-q", "--disable-pip-version-check"] as const;
    const [python, ...args] = pip;
    const wanted = /dependencies = \[(.*)\]/.exec(project.toString())?.[1] ?? "";
    const needed = [...wanted.matchAll(/"((?:[^"\\]|\\.)*)"/g)].map(([, one = ""]) => one.replaceAll('\\"', '"'));
    await run(python, [...args, "setuptools>=77", "wheel", ...needed]);
  });
  return join(folder, "bin", "python");
}

/** A file or folder that `make` makes once, aside, so that what is there is whole. */
async function cached(name: string, make: (aside: string) => Promise<void>): Promise<string> {
  const path = join(cache, name);
  if (!existsSync(path)) {
    const aside = `${path}.${process.pid}`;
    try {
      await make(aside);
      renameSync(aside, path);
    } finally {
      rmSync(aside, { recursive: true, force: true });
    }
  }
  return path;
}

const nameOf = (content: Buffer): string => createHash("sha256").update(content).digest("hex").slice(0, 16);

function responds(program: string): boolean {
  try {
    execFileSync("sh", ["-c", `command -v ${program}`], { stdio: "ignore" });
    return true;
  } catch {
    return false;
  }
}
