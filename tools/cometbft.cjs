"use strict";

// CometBFT, the consensus engine of an exchange with several validators: `node tools/cometbft.cjs` prints the path of
// the command, built from the Go modules that tools/cometbft/go.mod pins and kept in the cache of the Pulumi engine.

const path = require("node:path");
const { buildGoCommands, defaultCacheDir } = require("./engine.cjs");

const PACKAGE = "github.com/cometbft/cometbft/cmd/cometbft";

/** The `cometbft` command. Throws when there is no Go, or the build fails. */
async function findOrBuildCometbft({ log, environment = process.env }) {
  const bin = await buildGoCommands({
    directory: path.join(__dirname, "cometbft"),
    packages: [PACKAGE],
    linkerFlags: "",
    what: "CometBFT",
    takes: "one to two minutes",
    cacheDir: defaultCacheDir(environment),
    log,
    environment,
  });
  return path.join(bin, path.posix.basename(PACKAGE));
}

if (require.main === module) {
  findOrBuildCometbft({ log: (line) => process.stderr.write(`${line}\n`) }).then(
    (command) => process.stdout.write(`${command}\n`),
    (error) => {
      process.stderr.write(`error: ${error.message}\n`);
      process.exitCode = 1;
    },
  );
}

module.exports = { findOrBuildCometbft };
