"use strict";

/** The `dcx` command as a folder that needs nothing of the repository but its native packages. */
const { mkdirSync, rmSync, writeFileSync } = require("node:fs");
const path = require("node:path");
const esbuild = require("esbuild");
const { common, split } = require("../bundling.cjs");

const root = path.resolve(__dirname, "..", "..");
const parts = ["protocol", "exchange", "datacenter", "provider", "cli"];

/** Packages with machine code: they stay packages. Without the optional one there is a slower way. */
const native = ["lmdb", "secp256k1"];

const settings = {
  alias: Object.fromEntries(parts.map((part) => [`@dcx/${part}`, path.join(root, part, "src", "index.ts")])),
  // The last are optional parts of ssh2, by which container engines elsewhere could be reached.
  external: [...native, "bufferutil", "utf-8-validate", "cpu-features", "*.node"],
};

/**
 * Writes `<folder>/bundle`: `main.mjs` and what it loads, and the runtime's own programs where it looks for them
 * (datacenter/src/runtime/programs.ts).
 *
 * @returns {Promise<readonly string[]>} the files that went into it, relative to the repository
 */
async function bundleCommand(folder) {
  const bundle = path.join(folder, "bundle");
  rmSync(bundle, { recursive: true, force: true });
  mkdirSync(bundle, { recursive: true });
  const main = await esbuild.build({
    ...split,
    ...settings,
    absWorkingDir: root,
    entryPoints: { main: path.join(root, "cli", "src", "main.ts") },
    outdir: bundle,
    // Side by side: what is found beside a file is found from each of them.
    chunkNames: "[name]-[hash]",
  });
  const runtime = path.join(root, "datacenter", "src", "runtime");
  const programs = await esbuild.build({
    ...common,
    format: "cjs",
    absWorkingDir: root,
    metafile: true,
    entryPoints: {
      "supervised/supervisor": path.join(runtime, "supervised", "supervisor.ts"),
      "network-helper": path.join(runtime, "network-helper.ts"),
    },
    outdir: bundle,
  });
  writeFileSync(path.join(bundle, "dcx.cjs"), starter);
  return [main, programs].flatMap(({ metafile }) => Object.keys(metafile.inputs));
}

/** What a package manager links as `dcx`. */
const starter = `#!/usr/bin/env node
if (Number(process.versions.node.split(".")[0]) < 22) {
  process.stderr.write("dcx needs Node.js 22 or newer, this is " + process.version + ".\\n");
  process.exit(1);
}
// The processes of a network are started by the script that this process says it runs.
process.argv[1] = require("node:path").join(__dirname, "main.mjs");
import("./main.mjs");
`;

module.exports = { bundleCommand, native };
