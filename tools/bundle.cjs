"use strict";

/**
 * The last step of a build: the plugin as one file, which starts in a fraction of the time that its hundreds of
 * modules take, and the SDK's package.json where its compiled code looks for its version.
 */
const { copyFileSync, mkdirSync, writeFileSync } = require("node:fs");
const path = require("node:path");
const esbuild = require("esbuild");

const root = path.resolve(__dirname, "..");
const folder = path.join(root, "provider", "dist", "bundle");

mkdirSync(folder, { recursive: true });
esbuild.buildSync({
  entryPoints: [path.join(root, "provider", "src", "main.ts")],
  outfile: path.join(folder, "main.cjs"),
  bundle: true,
  platform: "node",
  format: "cjs",
  target: "node22",
  minifySyntax: true,
  minifyWhitespace: true,
  keepNames: true,
  sourcemap: "linked",
  logLevel: "warning",
  // Native and optional: whoever asks for them has a way without.
  external: ["secp256k1", "bufferutil", "utf-8-validate"],
  alias: { "@dcx/protocol": path.join(root, "protocol", "src", "index.ts") },
});
// Apart from the rest, because Node keeps compiled code only for what is loaded after this call.
writeFileSync(
  path.join(folder, "provider.cjs"),
  [
    '"use strict";',
    'if (Number(process.versions.node.split(".")[0]) < 22) {',
    "  process.stderr.write(`dcx needs Node.js 22 or newer, this is ${process.version}: install it, or name one in DCX_NODE.\\n`);",
    "  process.exit(1);",
    "}",
    'require("node:module").enableCompileCache?.(require("node:path").join(__dirname, ".compiled"));',
    'require("./main.cjs");',
    "",
  ].join("\n"),
);

const sdk = path.join(root, "sdk", "nodejs");
mkdirSync(path.join(sdk, "bin"), { recursive: true });
copyFileSync(path.join(sdk, "package.json"), path.join(sdk, "bin", "package.json"));
