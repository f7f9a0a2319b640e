import { execFile } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { delimiter, join } from "node:path";
import { promisify } from "node:util";
import { stringify } from "yaml";
import { ask, expectNothingLeft } from "./support/checks";
import { inline } from "./support/programs";
import { root } from "./support/root";
import { World } from "./support/world";

jest.setTimeout(300_000);

const run = promisify(execFile);
let archives: readonly string[];

beforeAll(async () => {
  const { stdout } = await run(process.execPath, [join(root, "tools", "package.cjs")], { cwd: root });
  archives = stdout
    .trim()
    .split("\n")
    .map((line) => join(root, line));
});

const archive = (name: RegExp): string => {
  const found = archives.find((path) => name.test(path));
  if (found === undefined) {
    throw new Error(`No archive matches ${name}: ${archives.join(", ")}`);
  }
  return found;
};

test("the plugin's archive, installed, deploys to an embedded network with nothing of the repository around", async () => {
  // No DCX_CLI, no Node.js: the engine, and what an operating system has.
  const PATH = [engine(), "/usr/sbin", "/usr/bin", "/sbin", "/bin"].join(delimiter);
  const world = World.create({ environment: { DCX_CLI: "", DCX_NODE: "", PATH } });
  const folder = join(world.home, "program");
  mkdirSync(folder);
  const program = { name: "packaged", runtime: "yaml", config: { "dcx:network": { value: "embedded" } }, ...inline() };
  writeFileSync(join(folder, "Pulumi.yaml"), stringify(program, { aliasDuplicateObjects: false }));
  const pulumi = async (...args: readonly string[]): Promise<string> =>
    (await run("pulumi", [...args, "--non-interactive"], { cwd: folder, env: world.environment })).stdout;
  try {
    await pulumi(
      "plugin",
      "install",
      "resource",
      "dcx",
      "0.1.0",
      "--file",
      archive(/pulumi-resource-dcx-.*\.tar\.gz$/),
    );
    await pulumi("stack", "init", "test");
    await pulumi("up", "--yes", "--skip-preview");
    const { url } = JSON.parse(await pulumi("stack", "output", "--json"));
    expect(await ask(url)).toMatchObject({ region: "us-west", api: { region: "us-east" } });
    // Every process of the network is the plugin's own executable.
    const installed = join(world.home, "pulumi", "plugins", "resource-dcx-v0.1.0");
    for (const { pid } of [world.network.node, ...world.network.datacenters.map(({ process }) => process)]) {
      expect(readFileSync(`/proc/${pid}/cmdline`, "utf8")).toMatch(join(installed, "pulumi-resource-dcx"));
    }
    await pulumi("preview", "--expect-no-changes");
    const { stdout } = await run(join(installed, "dcx"), ["leases", "--json"], { env: world.environment });
    expect(Object.keys(JSON.parse(stdout)).length).toBeGreaterThan(0);
    await pulumi("destroy", "--yes", "--skip-preview");
    await expectNothingLeft(world);
    expect(existsSync(join(installed, "lib", "NOTICES.txt"))).toBe(true);
  } finally {
    await world.close();
  }
});

test("the npm packages, installed in an empty project, are imported and run", async () => {
  const world = World.create();
  const folder = join(world.home, "project");
  mkdirSync(folder);
  writeFileSync(join(folder, "package.json"), JSON.stringify({ name: "project", private: true }));
  const within = { cwd: folder, env: { ...process.env, ...world.environment } };
  try {
    const packed = [/dcx-pulumi-.*\.tgz$/, /dcx-protocol-.*\.tgz$/, /dcx-cli-.*\.tgz$/].map(archive);
    await run("npm", ["install", "--no-audit", "--no-fund", "--prefer-offline", ...packed], within);
    const script = [
      'const dcx = require("@dcx/pulumi");',
      'const { ExchangeQueryClient } = require("@dcx/protocol");',
      "console.log([dcx.Deployment, dcx.Workload, dcx.Connection, dcx.Provider, ExchangeQueryClient].map((one) => typeof one).join());",
    ].join("\n");
    const { stdout } = await run(process.execPath, ["-e", script], within);
    expect(stdout.trim()).toBe(Array(5).fill("function").join());
    const dcx = join(folder, "node_modules", ".bin", "dcx");
    expect((await run(dcx, ["--version"], within)).stdout.trim()).toBe("0.1.0");
    expect((await run(dcx, ["--help"], within)).stdout).toContain("network");
    // Loads the agent, and with it what has machine code.
    expect(JSON.parse((await run(dcx, ["datacenter", "isolation", "--json"], within)).stdout)).toHaveProperty(
      "strongest",
    );
  } finally {
    await world.close();
  }
});

/** The folder of the engine that the tests run on. */
function engine(): string {
  const folders = (process.env["PATH"] ?? "").split(delimiter);
  const found = folders.find((folder) => folder !== "" && existsSync(join(folder, "pulumi")));
  if (found === undefined) {
    throw new Error("There is no pulumi on the PATH.");
  }
  return found;
}
