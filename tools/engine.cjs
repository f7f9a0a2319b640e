"use strict";

// The Pulumi engine that dcx runs on: the `pulumi` command and its YAML host (design: "Foundations", Pulumi engine).
// Plain JavaScript without dependencies, for it runs before anything is installed or built, on Node 20 too.

const { spawn } = require("node:child_process");
const { createHash } = require("node:crypto");
const { constants } = require("node:fs");
const fs = require("node:fs/promises");
const os = require("node:os");
const path = require("node:path");

/** The oldest command line that knows everything the plugin asks of it (refresh before update among them). */
const OLDEST = [3, 200, 0];
const MODULES = [
  "github.com/pulumi/pulumi/pkg/v3/cmd/pulumi",
  "github.com/pulumi/pulumi-yaml/cmd/pulumi-language-yaml",
];
const VERSION_VARIABLE = "github.com/pulumi/pulumi/sdk/v3/go/common/version.Version";
/** Milliseconds after which a lock is taken over even if a process has its pid: pids are used again. */
const LONGEST_WORK = 30 * 60_000;

/** Where engines are kept for all checkouts of this user. */
function defaultCacheDir(environment = process.env) {
  return path.join(environment.XDG_CACHE_HOME || path.join(os.homedir(), ".cache"), "dcx", "engine");
}

/**
 * A folder that holds `pulumi` (3.200 or newer) and `pulumi-language-yaml`: that of the `pulumi` on the PATH; else one
 * built from the Go modules that tools/go.mod pins, kept in `cacheDir`; else one that Pulumi's own installer brings.
 *
 * Any number of processes may call this at once: one of them builds, the others wait for it.
 *
 * @param {{ cacheDir?: string, log?: (line: string) => void, environment?: NodeJS.ProcessEnv }} [options]
 *   `log` receives a line for each thing that takes long.
 * @returns {Promise<{ bin: string, how: string }>} `how` says in words which of the three it was.
 * Throws when none of them works, with the reason of each.
 */
async function findOrBuildEngine(options = {}) {
  const environment = options.environment ?? process.env;
  const cacheDir = options.cacheDir ?? defaultCacheDir(environment);
  const log = options.log ?? (() => {});
  const reasons = [];
  const ways = [
    () => findOnPath(environment),
    () => buildFromModules({ cacheDir, log, environment }),
    () => install({ cacheDir, log }),
  ];
  for (const way of ways) {
    try {
      return await way();
    } catch (error) {
      reasons.push(error.message);
    }
  }
  const lines = [
    "There is no Pulumi engine to run on, and none could be made:",
    ...reasons.map((reason) => `  - ${reason}`),
    "Install Pulumi 3.200 or newer (https://www.pulumi.com/docs/install) or Go 1.25 or newer, and try again.",
  ];
  throw new Error(lines.join("\n"));
}

async function findOnPath(environment) {
  const command = await which("pulumi", environment);
  if (command === undefined) {
    throw new Error("no `pulumi` on the PATH");
  }
  const bin = path.dirname(await fs.realpath(command));
  const { output } = await run(command, ["version"], {
    environment: { ...environment, PULUMI_SKIP_UPDATE_CHECK: "true" },
  });
  const version = parseVersion(output);
  if (version === undefined || compare(version, OLDEST) < 0) {
    throw new Error(
      `${command} is ${output.trim() || "of an unknown version"}; needed is ${OLDEST.join(".")} or newer`,
    );
  }
  if (!(await isExecutable(path.join(bin, "pulumi-language-yaml")))) {
    throw new Error(`${command} has no pulumi-language-yaml beside it`);
  }
  return { bin, how: `pulumi ${version.join(".")} on the PATH` };
}

async function buildFromModules({ cacheDir, log, environment }) {
  const version = await pinnedVersion();
  const bin = await buildGoCommands({
    directory: __dirname,
    packages: MODULES,
    linkerFlags: `-X ${VERSION_VARIABLE}=${version}`,
    what: `the Pulumi engine ${version.slice(1)}`,
    takes: "one to five minutes",
    cacheDir,
    log,
    environment,
  });
  return { bin, how: `pulumi ${version.slice(1)} built from Go modules` };
}

/**
 * The folder that holds commands built from the Go modules which `directory`/go.mod pins. It lies in `cacheDir` under
 * the name of their checksums, so it is built once for all checkouts. Any number of processes may call this at once:
 * one of them builds, the others wait for it.
 *
 * @param {{ directory: string, packages: readonly string[], linkerFlags: string, what: string, takes: string,
 *   cacheDir: string, log: (line: string) => void, environment: NodeJS.ProcessEnv, sources?: readonly string[] }} options
 *   `what` and `takes` are for the lines that `log` receives; `sources` are files of our own that the commands are
 *   built from, beside those modules
 * @returns {Promise<string>}
 * Throws when there is no Go, or when the build fails, with what it said.
 */
async function buildGoCommands(options) {
  const { directory, packages, linkerFlags, what, takes, cacheDir, log, environment, sources = [] } = options;
  const sums = createHash("sha256");
  for (const file of [path.join(directory, "go.sum"), ...sources]) {
    sums.update(await fs.readFile(file));
  }
  const bin = path.join(cacheDir, sums.digest("hex").slice(0, 16));
  if (await isComplete(bin, packages)) {
    return bin;
  }
  const go = await which("go", environment);
  if (go === undefined) {
    throw new Error("no `go` on the PATH to build it with");
  }
  await fs.mkdir(cacheDir, { recursive: true });
  return withLock(`${bin}.lock`, log, async () => {
    if (await isComplete(bin, packages)) {
      return bin;
    }
    log(`Building ${what} from Go modules (once; ${takes})`);
    const began = Date.now();
    const progress = setInterval(
      () => log(`  still building ${what}, ${Math.round((Date.now() - began) / 1000)} s`),
      20_000,
    );
    // Built aside and renamed: whoever finds the folder finds it whole, also after a crash in the middle.
    const aside = await fs.mkdtemp(`${bin}.building-`);
    try {
      const flags = ["-buildvcs=false", "-ldflags", `-s -w ${linkerFlags}`];
      await run(go, ["build", ...flags, "-o", aside + path.sep, ...packages], { environment, directory });
      await fs.chmod(aside, 0o755);
      await fs.rm(bin, { recursive: true, force: true });
      await fs.rename(aside, bin);
    } catch (error) {
      await fs.rm(aside, { recursive: true, force: true });
      throw new Error(`building it from Go modules failed: ${error.message}`);
    } finally {
      clearInterval(progress);
    }
    return bin;
  });
}

async function install({ cacheDir, log }) {
  let automation;
  try {
    automation = require("@pulumi/pulumi/automation");
  } catch {
    throw new Error("Pulumi's own installer needs the npm packages: run `npm install` first");
  }
  const root = path.join(cacheDir, "installed");
  await fs.mkdir(cacheDir, { recursive: true });
  return withLock(`${root}.lock`, log, async () => {
    log(`Installing the Pulumi engine into ${root}`);
    let command;
    try {
      command = await automation.PulumiCommand.install({ root });
    } catch (error) {
      throw new Error(`Pulumi's own installer failed: ${error.message}`);
    }
    const bin = path.join(root, "bin");
    if (!(await isComplete(bin, MODULES))) {
      throw new Error(`Pulumi's own installer left no pulumi and pulumi-language-yaml in ${bin}`);
    }
    return { bin, how: `pulumi ${command.version} installed by Pulumi's own installer` };
  });
}

async function pinnedVersion() {
  const text = await fs.readFile(path.join(__dirname, "go.mod"), "utf8");
  const found = /github\.com\/pulumi\/pulumi\/pkg\/v3 (v\S+)/.exec(text);
  if (found === null) {
    throw new Error(`${path.join(__dirname, "go.mod")} does not pin github.com/pulumi/pulumi/pkg/v3`);
  }
  return found[1];
}

async function isComplete(bin, packages) {
  const there = await Promise.all(packages.map((name) => isExecutable(path.join(bin, path.posix.basename(name)))));
  return there.every(Boolean);
}

/**
 * Runs `work` while no other process of this machine does so under the same lock. The lock only saves work (what is
 * made appears by a rename), so a lock whose process is gone is simply taken over.
 */
async function withLock(lock, log, work) {
  let told = false;
  while (!(await tryLock(lock))) {
    if (!told) {
      log(`Waiting for another process that makes the same (${lock})`);
      told = true;
    }
    await new Promise((resolve) => setTimeout(resolve, 250));
  }
  try {
    return await work();
  } finally {
    await fs.rm(lock, { force: true });
  }
}

async function tryLock(lock) {
  // Written aside and linked, so that a lock is never seen without its pid.
  const mine = `${lock}.${process.pid}`;
  await fs.writeFile(mine, String(process.pid));
  try {
    await fs.link(mine, lock);
    return true;
  } catch (error) {
    if (error.code !== "EEXIST") {
      throw error;
    }
  } finally {
    await fs.rm(mine, { force: true });
  }
  const owner = await fs.readFile(lock, "utf8").catch(() => "");
  const age =
    Date.now() -
    (await fs
      .stat(lock)
      .then((stat) => stat.mtimeMs)
      .catch(Date.now));
  if ((owner !== "" && !isAlive(Number(owner))) || age > LONGEST_WORK) {
    await fs.rm(lock, { force: true });
  }
  return false;
}

function isAlive(pid) {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error.code === "EPERM";
  }
}

async function which(command, environment) {
  for (const folder of (environment.PATH ?? "").split(path.delimiter)) {
    const candidate = path.join(folder, command);
    if (folder !== "" && (await isExecutable(candidate))) {
      return candidate;
    }
  }
  return undefined;
}

async function isExecutable(file) {
  try {
    await fs.access(file, constants.X_OK);
    return (await fs.stat(file)).isFile();
  } catch {
    return false;
  }
}

function parseVersion(text) {
  const found = /v?(\d+)\.(\d+)\.(\d+)/.exec(text);
  return found === null ? undefined : found.slice(1, 4).map(Number);
}

function compare(left, right) {
  for (let index = 0; index < left.length; index++) {
    if (left[index] !== right[index]) {
      return left[index] - right[index];
    }
  }
  return 0;
}

/** Standard output of a command. Throws with the end of what it said when it fails. */
function run(command, args, { environment, directory }) {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { cwd: directory, env: environment, stdio: ["ignore", "pipe", "pipe"] });
    let output = "";
    let said = "";
    child.stdout.on("data", (chunk) => {
      output += chunk;
    });
    child.stderr.on("data", (chunk) => {
      said += chunk;
    });
    child.on("error", reject);
    child.on("close", (code, signal) => {
      if (code === 0) {
        resolve({ output });
      } else {
        reject(new Error(`${command} ${args[0]} ended with ${signal ?? code}: ${said.trim().slice(-2000)}`));
      }
    });
  });
}

module.exports = { buildGoCommands, defaultCacheDir, findOrBuildEngine };
