"use strict";

/**
 * The project's own commands: `npm start`, `npm stop`, `npm test` and the rest. It runs on whatever Node the machine
 * has and with nothing installed: it installs the dependencies, finds a Node that is new enough for the project
 * (the dependencies bring one), builds, and hands over.
 */
const { spawnSync } = require("node:child_process");
const { existsSync, mkdirSync, readFileSync, writeFileSync } = require("node:fs");
const { createHash } = require("node:crypto");
const path = require("node:path");

const root = path.resolve(__dirname, "..");
const cache = path.join(root, ".cache");

const dim = process.stderr.isTTY && !process.env.NO_COLOR ? (text) => `\x1b[2m${text}\x1b[0m` : (text) => text;

/** A line that says what goes on. */
function say(message) {
  process.stderr.write(`${dim(message)}\n`);
}

/** Runs a program to its end; ends this one with its exit code where it fails. */
function run(program, args, options = {}) {
  const result = spawnSync(program, args, { cwd: root, stdio: "inherit", ...options });
  if (result.error) {
    throw result.error;
  }
  if (result.status !== 0 && !options.tolerant) {
    process.exit(result.status ?? 1);
  }
  return result;
}

/** Installs what the lockfile names, unless exactly that is installed. */
function installDependencies() {
  const lockfile = readFileSync(path.join(root, "package-lock.json"));
  const wanted = createHash("sha256").update(lockfile).update(process.arch).digest("hex");
  const stamp = path.join(root, "node_modules", ".dcx-installed");
  if (existsSync(stamp) && readFileSync(stamp, "utf8") === wanted) {
    return;
  }
  say("installing dependencies");
  // Not `npm ci`: it refuses a lockfile without the optional packages of platforms that the registry it was made with
  // did not serve. This installs the very versions of the lockfile, and leaves it as it is.
  run("npm", ["install", "--no-save", "--no-audit", "--no-fund", "--loglevel=error"], {
    shell: process.platform === "win32",
  });
  writeFileSync(stamp, wanted);
}

/** A Node of version 22 or newer: this one, or the one that the dependencies bring. */
function findNode() {
  if (Number(process.versions.node.split(".")[0]) >= 22) {
    return process.execPath;
  }
  const brought = path.join(root, "node_modules", "node", "bin", process.platform === "win32" ? "node.exe" : "node");
  if (!existsSync(brought)) {
    throw new Error(
      `dcx needs Node.js 22 or newer, this is ${process.version}, and the npm package "node" that should bring one ` +
        "has not: its install script may not run here. Install Node.js 22, or allow install scripts and run npm ci.",
    );
  }
  return brought;
}

function environment(node) {
  const binaries = [path.dirname(node), path.join(root, "node_modules", ".bin")].join(path.delimiter);
  return { ...process.env, DCX_NODE: node, PATH: `${binaries}${path.delimiter}${process.env.PATH}` };
}

function build(node, env) {
  mkdirSync(cache, { recursive: true });
  say("building");
  run(node, [path.join(root, "node_modules", "typescript-native", "bin", "tsc"), "-b"], { env });
  run(node, [path.join(root, "tools", "bundle.cjs")], { env });
}

const commands = {
  start: (node, env) => run(node, [path.join(root, "tools", "start.cjs"), "start"], { env }),
  stop: (node, env) => run(node, [path.join(root, "tools", "start.cjs"), "stop"], { env }),
  pulumi: (node, env, args) => run(node, [path.join(root, "tools", "start.cjs"), "pulumi", ...args], { env }),
  dcx: (node, env, args) => run(node, [path.join(root, "tools", "start.cjs"), "dcx", ...args], { env }),
  test: (node, env, args) => run(node, [path.join(root, "tools", "test.cjs"), ...args], { env }),
  bench: (node, env, args) => run(node, [path.join(cache, "tests", "bench", "main.js"), ...args], { env }),
  soak: (node, env, args) => run(node, [path.join(cache, "tests", "soak", "main.js"), ...args], { env }),
  build: () => undefined,
  package: (node, env, args) => run(node, [path.join(root, "tools", "package.cjs"), ...args], { env }),
  generate: (node, env, args) => run(node, [path.join(root, "tools", "generate.cjs"), ...args], { env }),
  lint: (_node, env) => run(path.join(root, "node_modules", ".bin", "biome"), ["check", "."], { env }),
};

const [name, ...args] = process.argv.slice(2);
const command = commands[name];
if (command === undefined) {
  process.stderr.write(`usage: node tools/run.cjs ${Object.keys(commands).join(" | ")}\n`);
  process.exit(2);
}
try {
  installDependencies();
  const node = findNode();
  const env = environment(node);
  if (name !== "lint" && name !== "generate") {
    build(node, env);
  }
  command(node, env, args);
} catch (error) {
  process.stderr.write(`error: ${error.message}\n`);
  process.exit(1);
}
