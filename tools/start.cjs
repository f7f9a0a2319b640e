"use strict";

/**
 * `npm start`: brings the two-tier example onto the embedded exchange with the real Pulumi engine, in a place of its
 * own: state backend, passphrase, plugins, network and namespace all live under `.cache/start` of this clone, so
 * neither the user's Pulumi login nor another clone is touched. `npm stop` takes all of it down.
 */
const { spawnSync } = require("node:child_process");
const { chmodSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } = require("node:fs");
const { randomBytes } = require("node:crypto");
const path = require("node:path");
const { pathToFileURL } = require("node:url");
const { findOrBuildEngine } = require("./engine.cjs");

const root = path.resolve(__dirname, "..");
const home = path.join(root, ".cache", "start");
const dcx = path.join(root, "cli", "bin", "dcx");
const stack = "dev";

const bold = process.stdout.isTTY && !process.env.NO_COLOR ? (text) => `\x1b[1m${text}\x1b[0m` : (text) => text;

function say(message) {
  process.stderr.write(`${message}\n`);
}

/** A secret of this clone: made once, readable by its user only. */
function secret(name) {
  const file = path.join(home, name);
  if (!existsSync(file)) {
    mkdirSync(home, { recursive: true, mode: 0o700 });
    writeFileSync(file, randomBytes(24).toString("base64url"), { mode: 0o600 });
    chmodSync(file, 0o600);
  }
  return readFileSync(file, "utf8");
}

/** The environment in which this clone's Pulumi and dcx run. */
function ownEnvironment(engine) {
  const state = path.join(home, "state");
  mkdirSync(state, { recursive: true });
  return {
    ...process.env,
    ...(engine === undefined ? {} : { PATH: `${engine.bin}${path.delimiter}${process.env.PATH}` }),
    DCX_HOME: path.join(home, "dcx"),
    DCX_CLI: dcx,
    DCX_NAMESPACE: secret("namespace"),
    PULUMI_HOME: path.join(home, "pulumi"),
    PULUMI_BACKEND_URL: pathToFileURL(state).href,
    PULUMI_CONFIG_PASSPHRASE: secret("passphrase"),
    PULUMI_SKIP_UPDATE_CHECK: "true",
    PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION: "true",
  };
}

function run(program, args, env, options = {}) {
  const result = spawnSync(program, args, { cwd: root, env, stdio: "inherit", ...options });
  if (result.error) {
    throw new Error(`${program} could not be started: ${result.error.message}`);
  }
  return result;
}

function must(program, args, env, options) {
  const result = run(program, args, env, options);
  if (result.status !== 0) {
    throw new Error(`${path.basename(program)} ${args.join(" ")} failed with exit code ${result.status}`);
  }
  return result;
}

/** What keeps workloads apart here; "none" has to be asked for, and for our own two workloads we do. */
function chooseIsolation(env) {
  const answer = must(dcx, ["datacenter", "isolation", "--json"], env, { stdio: ["ignore", "pipe", "inherit"] });
  const { strongest, why } = JSON.parse(answer.stdout.toString());
  if (strongest === "none") {
    say(
      `This machine offers neither a container engine nor a sandbox (${why}): the two workloads of this example run ` +
        "as plain processes (--isolation=none).",
    );
  } else {
    say(`workloads run in: ${strongest} (${why})`);
  }
  return strongest;
}

async function start() {
  const engine = await findOrBuildEngine({ log: say });
  const env = ownEnvironment(engine);
  say(`Pulumi engine: ${engine.how}`);
  must(process.execPath, [path.join(root, "examples", "images", "build.cjs"), path.join(env.DCX_HOME, "images")], env);
  if (chooseIsolation(env) === "none") {
    must(dcx, ["network", "start", "--isolation", "none"], env);
  }
  must("pulumi", ["stack", "select", "--create", stack], env);
  must("pulumi", ["up", "--yes", "--stack", stack], env);
  const outputs = JSON.parse(
    must("pulumi", ["stack", "output", "--json", "--stack", stack], env, { stdio: ["ignore", "pipe", "inherit"] })
      .stdout,
  );
  await show(outputs.url);
}

async function show(url) {
  const response = await fetch(url, { signal: AbortSignal.timeout(10_000) });
  const text = await response.text();
  const answer = JSON.parse(text);
  if (!response.ok || answer.api === undefined || answer.api.greeting === undefined) {
    throw new Error(`${url} answered ${response.status} without an answer of the api tier: ${text}`);
  }
  process.stdout.write(
    [
      "",
      `${bold(`GET ${url}`)}  ${response.status}`,
      JSON.stringify(answer, null, 2),
      "",
      `web (${answer.region}) called api (${answer.api.region}) over its tunnel, and api said: ${bold(answer.api.greeting)}`,
      "",
      "What to try next:",
      "  change the image to :1.1 in examples/two-tier/yaml/Main.yaml, then",
      "  npm run pulumi -- preview        what a redeploy would change",
      "  npm run pulumi -- up             change it",
      "  npm run dcx -- network status    the exchange and its datacenters",
      "  npm run dcx -- deployments       what is deployed, and what it costs",
      "  npm stop                         take everything down",
      "",
    ].join("\n"),
  );
}

async function stop() {
  if (!existsSync(home)) {
    say("Nothing was started from this clone.");
    return;
  }
  const engine = await findOrBuildEngine({ log: say });
  const env = ownEnvironment(engine);
  if (run("pulumi", ["stack", "select", stack], env, { stdio: "ignore" }).status === 0) {
    // A start that was killed leaves its lock, and nothing else uses this backend.
    run("pulumi", ["cancel", "--yes", "--stack", stack], env, { stdio: "ignore" });
    const destroyed = run("pulumi", ["destroy", "--yes", "--stack", stack], env);
    if (destroyed.status !== 0) {
      say("The stack could not be destroyed; its network is removed with everything on it.");
    }
  }
  must(dcx, ["network", "reset", "--yes"], env);
  rmSync(home, { recursive: true, force: true });
  say("Everything is down.");
}

async function pass(program, args) {
  const engine = program === "pulumi" ? await findOrBuildEngine({ log: say }) : undefined;
  process.exitCode = run(program === "dcx" ? dcx : program, args, ownEnvironment(engine)).status ?? 1;
}

const [command, ...args] = process.argv.slice(2);
const work =
  command === "start"
    ? start()
    : command === "stop"
      ? stop()
      : command === "pulumi" || command === "dcx"
        ? pass(command, args)
        : undefined;
if (work === undefined) {
  process.stderr.write("usage: node tools/start.cjs start | stop | pulumi … | dcx …\n");
  process.exit(2);
}
work.catch((error) => {
  process.stderr.write(`error: ${error.message}\n`);
  process.exit(1);
});
