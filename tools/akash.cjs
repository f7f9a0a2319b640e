"use strict";

// A node of the Akash Network, as a reference for benchmarks: `node tools/akash.cjs` prints the path of the command,
// built from the Go modules that tools/akash/go.mod pins and kept in the cache of the Pulumi engine.

const path = require("node:path");
const { buildGoCommands, defaultCacheDir } = require("./engine.cjs");

const PACKAGE = "github.com/akash-network/node/cmd/akash";
const VERSION_VARIABLE = "github.com/cosmos/cosmos-sdk/version.Version";

/** The `akash` command. Throws when there is no Go, or the build fails. */
async function findOrBuildAkash({ log, environment = process.env }) {
  const bin = await buildGoCommands({
    directory: path.join(__dirname, "akash"),
    packages: [PACKAGE],
    linkerFlags: `-X ${VERSION_VARIABLE}=v0.36.0`,
    what: "a node of the Akash Network",
    takes: "two to ten minutes",
    cacheDir: defaultCacheDir(environment),
    log,
    environment,
  });
  return path.join(bin, path.posix.basename(PACKAGE));
}

if (require.main === module) {
  findOrBuildAkash({ log: (line) => process.stderr.write(`${line}\n`) }).then(
    (command) => process.stdout.write(`${command}\n`),
    (error) => {
      process.stderr.write(`error: ${error.message}\n`);
      process.exitCode = 1;
    },
  );
}

module.exports = { findOrBuildAkash };
