"use strict";

/**
 * The plugin with all that it needs, as the archive that `pulumi plugin install` takes: for Linux and Windows an
 * executable that holds Node.js and the launcher, for macOS Node.js as its makers signed it and a script. Beside it
 * lies `lib`: the plugin's bundle, the `dcx` command (which the embedded network runs) and packages with machine code.
 */
const { chmodSync, cpSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } = require("node:fs");
const path = require("node:path");
const { inject } = require("postject");
const { pack } = require("./archive.cjs");
const { native } = require("./command.cjs");
const { writeNotices } = require("./notices.cjs");
const { copyPackages, fetchPackage, installed, manifest, run } = require("./packages.cjs");
const { here, platforms } = require("./platforms.cjs");

const root = path.resolve(__dirname, "..", "..");
/** Where Node.js looks for what was put into it (node:sea). */
const fuse = "NODE_SEA_FUSE_fce680ab2cc467b6e072b8b5df1996b2";

/**
 * @param {{ platform: string, version: string, bundled: { plugin: string, command: string, inputs: readonly string[] },
 *   work: string, out: string }} options `bundled`: folders with the plugin and with the `dcx` command, and what they
 *   were made of; `work`: for what is fetched and made on the way
 * @returns {Promise<string>} the archive
 */
async function packPlugin({ platform, version, bundled, work, out }) {
  const known = platforms[platform];
  if (known === undefined) {
    throw new Error(`There is no platform ${platform}; there are ${Object.keys(platforms).join(", ")}.`);
  }
  const stage = path.join(work, platform);
  rmSync(stage, { recursive: true, force: true });
  const lib = path.join(stage, "lib");
  mkdirSync(lib, { recursive: true });
  copyCode(lib, bundled, version);
  copyNative(lib, known, work);
  const node = nodeOf(platform, work);
  writeNotices(path.join(lib, "NOTICES.txt"), bundled.inputs, node);
  cpSync(path.join(root, "LICENSE"), path.join(stage, "LICENSE"));
  await writeExecutables(stage, platform, node, work);
  const archive = path.join(out, `pulumi-resource-dcx-v${version}-${platform}.tar.gz`);
  await pack(stage, archive);
  return archive;
}

function copyCode(lib, { plugin, command }, version) {
  cpSync(plugin, path.join(lib, "provider"), { recursive: true, filter: (file) => !file.endsWith(".map") });
  cpSync(command, path.join(lib, "cli"), { recursive: true });
  // The command reads its version there, and what lies beside it is to be read as CommonJS.
  writeFileSync(path.join(lib, "cli", "package.json"), `${JSON.stringify({ name: "@dcx/cli", version })}\n`);
  writeFileSync(
    path.join(lib, "import.cjs"),
    'module.exports = (file) => import(require("node:url").pathToFileURL(file).href);\n',
  );
}

function copyNative(lib, { native: lmdb, prebuilt }, work) {
  const destination = path.join(lib, "node_modules");
  copyPackages(
    native.filter((name) => name !== "secp256k1" || prebuilt !== undefined),
    destination,
  );
  const name = `@lmdb/${lmdb}`;
  const { version } = manifest(path.join(installed, "lmdb"));
  const there = path.join(installed, name);
  cpSync(existsSync(there) ? there : fetchPackage(`${name}@${version}`, work), path.join(destination, name), {
    recursive: true,
  });
  if (prebuilt !== undefined) {
    const prebuilds = path.join("secp256k1", "prebuilds", prebuilt);
    cpSync(path.join(installed, prebuilds), path.join(destination, prebuilds), { recursive: true });
  }
}

/** The folder of the npm package that holds Node.js for a platform. */
function nodeOf(platform, work) {
  const { node } = platforms[platform];
  const brought = path.join(installed, "node");
  const isHere =
    platform === here && existsSync(path.join(brought, "bin")) && node.endsWith(`@${manifest(brought).version}`);
  return isHere ? brought : fetchPackage(node, work);
}

async function writeExecutables(stage, platform, node, work) {
  const name = "pulumi-resource-dcx";
  if (platform.startsWith("darwin-")) {
    // What is put into an executable breaks its signature, and without one macOS runs nothing on Apple's processors.
    executable(path.join(stage, "lib", "node"), readFileSync(path.join(node, "bin", "node")));
    executable(
      path.join(stage, name),
      script(
        'exec "$here/lib/node" --max-semi-space-size=4 --max-old-space-size=768 "$here/lib/provider/provider.cjs" "$@"',
      ),
    );
    executable(path.join(stage, "dcx"), script('exec "$here/lib/node" "$here/lib/cli/bundle/main.mjs" "$@"'));
    return;
  }
  const windows = platform.startsWith("windows-");
  const file = path.join(stage, windows ? `${name}.exe` : name);
  executable(file, readFileSync(path.join(node, "bin", windows ? "node.exe" : "node")));
  await inject(file, "NODE_SEA_BLOB", launcherBlob(work), { sentinelFuse: fuse });
  if (windows) {
    writeFileSync(path.join(stage, "dcx.cmd"), `@"%~dp0${name}.exe" dcx %*\r\n`);
  } else {
    executable(path.join(stage, "dcx"), script(`exec "$here/${name}" dcx "$@"`));
  }
}

/** The launcher as Node.js takes it: without compiled code in it, it is the same for all platforms. */
function launcherBlob(work) {
  const output = path.join(work, "launcher.blob");
  const configuration = path.join(work, "launcher.json");
  const main = path.join(__dirname, "launcher.cjs");
  // As provider/bin says of it; and few threads, for each keeps free memory of its own. Neither can be set later: what
  // can be, the launcher sets for the plugin alone.
  const execArgv = ["--max-semi-space-size=4", "--v8-pool-size=1"];
  writeFileSync(configuration, JSON.stringify({ main, output, execArgv, disableExperimentalSEAWarning: true }));
  run(process.execPath, ["--experimental-sea-config", configuration]);
  return readFileSync(output);
}

/** A script that knows where it lies, also when it is called by a link. */
function script(command) {
  return [
    "#!/bin/sh",
    "set -eu",
    "self=$0",
    'while [ -L "$self" ]; do',
    '  target=$(readlink "$self")',
    "  case $target in",
    "    /*) self=$target ;;",
    '    *) self=$(dirname "$self")/$target ;;',
    "  esac",
    "done",
    'here=$(cd "$(dirname "$self")" && pwd)',
    command,
    "",
  ].join("\n");
}

function executable(file, content) {
  writeFileSync(file, content);
  chmodSync(file, 0o755);
}

module.exports = { packPlugin };
