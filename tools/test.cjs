"use strict";

/**
 * `npm test`: the unit and property tests of every part, then the end-to-end tests, which run the real Pulumi engine,
 * the real node and real datacenters. Arguments go to jest. Reports lie in `reports/`.
 */
const { spawnSync } = require("node:child_process");
const os = require("node:os");
const path = require("node:path");
const { findOrBuildEngine } = require("./engine.cjs");

const root = path.resolve(__dirname, "..");

async function main() {
  const engine = await findOrBuildEngine({ log: (line) => process.stderr.write(`${line}\n`) });
  process.stderr.write(`Pulumi engine: ${engine.how}\n`);
  const env = {
    ...process.env,
    PATH: `${engine.bin}${path.delimiter}${process.env.PATH}`,
    PULUMI_SKIP_UPDATE_CHECK: "true",
    PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION: "true",
  };
  const images = path.join(root, ".cache", "images");
  const built = spawnSync(process.execPath, [path.join(root, "examples", "images", "build.cjs"), images], {
    stdio: ["ignore", "ignore", "inherit"],
  });
  if (built.status !== 0) {
    throw new Error("The images of the examples could not be built.");
  }
  const jest = path.join(root, "node_modules", "jest", "bin", "jest.js");
  const args = process.argv.slice(2);
  // End-to-end tests wait much, for blocks and periods: three at once keep two processors busy.
  const chosen = args.some((argument) => /^(-i|-w|--runInBand|--maxWorkers)/.test(argument));
  const workers = chosen ? [] : [`--maxWorkers=${Math.max(3, os.availableParallelism() - 1)}`];
  // What a failed test leaves open must not hold up the report.
  const command = [jest, "--forceExit", ...workers, ...args];
  const result = spawnSync(process.execPath, command, { cwd: root, env, stdio: "inherit" });
  process.exitCode = result.status ?? 1;
}

main().catch((error) => {
  process.stderr.write(`error: ${error.message}\n`);
  process.exit(1);
});
