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
// What is loaded lazily lies in files of its own, for reading and parsing code costs most of a start. Modules whose
// classes cross those files (`instanceof`) are in one that both use.
const source = path.join(root, "provider", "src");
const shared = [
  "await/wait",
  "configuration/configuration",
  "network/driver",
  "resources/resource",
  "wire/codec",
  "wire/path",
  "wire/value",
];
const lazy = ["resources/index", "schema/package-schema"];
const fileOf = (module) => `${module.replaceAll("/", "-")}.js`;
const split = {
  name: "split",
  setup(build) {
    build.onResolve({ filter: /^\.\.?\// }, ({ path: request, resolveDir, kind }) => {
      const module = path
        .relative(source, path.resolve(resolveDir, request))
        .replaceAll(path.sep, "/")
        .replace(/\.js$/, "");
      if (kind === "dynamic-import" && lazy.includes(module)) {
        return { path: `./${fileOf(module)}`, external: true };
      }
      return shared.includes(module) ? { path: "./shared.js", external: true } : undefined;
    });
  },
};
const parts = {
  ...common,
  sourcemap: "linked",
  // Native and optional: whoever asks for them has a way without.
  external: ["secp256k1", "bufferutil", "utf-8-validate"],
  alias: { "@dcx/protocol": path.join(root, "protocol", "src", "index.ts") },
};

async function bundleParts() {
  await esbuild.build({
    ...parts,
    stdin: {
      contents: shared.map((module) => `export * from "./${module}";`).join("\n"),
      resolveDir: source,
      loader: "ts",
    },
    outfile: path.join(folder, "shared.js"),
  });
  for (const module of ["plugin", ...lazy]) {
    await esbuild.build({
      ...parts,
      plugins: [split],
      entryPoints: [path.join(source, `${module}.ts`)],
      outfile: path.join(folder, fileOf(module)),
    });
  }
}

bundleParts().catch((error) => {
  process.stderr.write(`error: ${error.message}\n`);
  process.exit(1);
});

const sdk = path.join(root, "sdk", "nodejs");
mkdirSync(path.join(sdk, "bin"), { recursive: true });
copyFileSync(path.join(sdk, "package.json"), path.join(sdk, "bin", "package.json"));
