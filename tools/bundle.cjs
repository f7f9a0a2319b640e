"use strict";

/**
 * The last step of a build: the plugin as one file, which starts in a fraction of the time that its hundreds of
 * modules take, and the SDK's package.json where its compiled code looks for its version.
 */
const { copyFileSync, mkdirSync, readdirSync, rmSync, statSync } = require("node:fs");
const path = require("node:path");
const esbuild = require("esbuild");
const { common, split } = require("./bundling.cjs");

const root = path.resolve(__dirname, "..");
// All that is loaded after the port line.
const parts = (folder) => ({
  ...split,
  entryPoints: [path.join(root, "provider", "src", "plugin.ts")],
  outdir: folder,
  chunkNames: "parts/[name]-[hash]",
  sourcemap: "linked",
  // Native and optional: whoever asks for them has a way without.
  external: ["secp256k1", "bufferutil", "utf-8-validate"],
  alias: { "@dcx/protocol": path.join(root, "protocol", "src", "index.ts") },
});

// What answers the engine first is read in no time: a few lines, and CommonJS, whose start is the shorter one.
const first = (folder) => ({
  ...common,
  format: "cjs",
  entryPoints: [path.join(root, "provider", "src", "main.ts")],
  outfile: path.join(folder, "provider.cjs"),
  plugins: [
    {
      name: "rest",
      setup(build) {
        build.onResolve({ filter: /^\.\/plugin\.js$/ }, () => ({ path: "./plugin.mjs", external: true }));
      },
    },
  ],
  banner: {
    js: [
      'if (Number(process.versions.node.split(".")[0]) < 22) {',
      '  process.stderr.write("dcx needs Node.js 22 or newer, this is " + process.version + ": install it, or name one in DCX_NODE.\\n");',
      "  process.exit(1);",
      "}",
      // Kept beside the bundle where that can be written to; for all that is loaded from here on.
      'require("node:module").enableCompileCache?.(require("node:path").join(__dirname, ".compiled"));',
    ].join("\n"),
  },
});

/**
 * Writes the plugin to a folder: `provider.cjs`, and what it loads.
 *
 * @returns {Promise<esbuild.Metafile>} of what it loads; its paths are relative to the repository
 */
async function bundlePlugin(folder) {
  mkdirSync(folder, { recursive: true });
  const { metafile } = await esbuild.build({ ...parts(folder), absWorkingDir: root });
  await esbuild.build(first(folder));
  return metafile;
}

async function main() {
  const folder = path.join(root, "provider", "dist", "bundle");
  const { outputs } = await bundlePlugin(folder);
  removeOthers(folder, new Set(Object.keys(outputs).map((file) => path.resolve(root, file))));
  const sdk = path.join(root, "sdk", "nodejs");
  mkdirSync(path.join(sdk, "bin"), { recursive: true });
  copyFileSync(path.join(sdk, "package.json"), path.join(sdk, "bin", "package.json"));
}

/** Removes what earlier builds left, but for what a plugin that runs now may still load: the last hour's. */
function removeOthers(folder, kept) {
  for (const place of [folder, path.join(folder, "parts")]) {
    for (const name of readdirSync(place)) {
      const file = path.join(place, name);
      if (/\.m?js(\.map)?$/.test(name) && !kept.has(file) && Date.now() - statSync(file).mtimeMs > 3_600_000) {
        rmSync(file);
      }
    }
  }
}

if (require.main === module) {
  main().catch((error) => {
    process.stderr.write(`error: ${error.message}\n`);
    process.exit(1);
  });
}

module.exports = { bundlePlugin };
