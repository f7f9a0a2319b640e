"use strict";

/**
 * The last step of a build: the plugin as one file, which starts in a fraction of the time that its hundreds of
 * modules take, and the SDK's package.json where its compiled code looks for its version.
 */
const { copyFileSync, mkdirSync } = require("node:fs");
const path = require("node:path");
const esbuild = require("esbuild");

const root = path.resolve(__dirname, "..");
const folder = path.join(root, "provider", "dist", "bundle");

mkdirSync(folder, { recursive: true });
const common = {
  bundle: true,
  platform: "node",
  format: "cjs",
  target: "node22",
  minifySyntax: true,
  minifyWhitespace: true,
  keepNames: true,
  logLevel: "warning",
};
// Two files, so that the first, which answers the engine, is read in no time.
esbuild.buildSync({
  ...common,
  entryPoints: [path.join(root, "provider", "src", "main.ts")],
  outfile: path.join(folder, "provider.cjs"),
  external: ["./plugin.js"],
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
esbuild.buildSync({
  ...common,
  entryPoints: [path.join(root, "provider", "src", "plugin.ts")],
  outfile: path.join(folder, "plugin.js"),
  sourcemap: "linked",
  // Native and optional: whoever asks for them has a way without.
  external: ["secp256k1", "bufferutil", "utf-8-validate"],
  alias: { "@dcx/protocol": path.join(root, "protocol", "src", "index.ts") },
});

const sdk = path.join(root, "sdk", "nodejs");
mkdirSync(path.join(sdk, "bin"), { recursive: true });
copyFileSync(path.join(sdk, "package.json"), path.join(sdk, "bin", "package.json"));
