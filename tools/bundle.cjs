"use strict";

/**
 * The last step of a build: the plugin as one file, which starts in a fraction of the time that its hundreds of
 * modules take, and the SDK's package.json where its compiled code looks for its version.
 */
const { copyFileSync, mkdirSync, readdirSync, rmSync, statSync } = require("node:fs");
const { createRequire, isBuiltin } = require("node:module");
const path = require("node:path");
const esbuild = require("esbuild");
// Packages are loaded here for the names that they export, and @peculiar/x509 does not load without this one.
require("reflect-metadata");

const root = path.resolve(__dirname, "..");
const folder = path.join(root, "provider", "dist", "bundle");

mkdirSync(folder, { recursive: true });
const common = {
  bundle: true,
  platform: "node",
  target: "node22",
  minifySyntax: true,
  minifyWhitespace: true,
  logLevel: "warning",
};

/** Zod's messages in fifty languages are more than the rest of it; we have one. */
const oneLanguage = {
  name: "one-language",
  setup(build) {
    build.onResolve({ filter: /locales\/index\.js$/ }, ({ importer, resolveDir }) =>
      importer.split(path.sep).includes("zod")
        ? { path: path.resolve(resolveDir, "..", "locales", "en.js") }
        : undefined,
    );
  },
};

/** A CommonJS package that is imported lazily gets its exports by name: a split bundle has them as `default` alone. */
const namedExports = {
  name: "named-exports",
  setup(build) {
    build.onResolve({ filter: /^[^./]/ }, ({ path: name, kind, namespace, resolveDir }) =>
      kind === "dynamic-import" && namespace !== "named" && !isBuiltin(name)
        ? { path: name, namespace: "named", pluginData: resolveDir }
        : undefined,
    );
    build.onLoad({ filter: /.*/, namespace: "named" }, ({ path: name, pluginData: resolveDir }) => {
      const loaded = createRequire(path.join(resolveDir, "_"))(name);
      const names = Object.keys(loaded).filter((one) => one !== "default" && /^[A-Za-z_$][\w$]*$/.test(one));
      const module = JSON.stringify(name);
      const exported = names.map((one) => `export const ${one} = all.${one};`);
      return { contents: [`import ${module};`, `import * as all from ${module};`, ...exported].join("\n"), resolveDir };
    });
  },
};

// All that is loaded after the port line: what is loaded lazily lies in files of its own, for reading and parsing code
// costs most of a start. ECMAScript modules, because Node searches each CommonJS file that is imported for its exports,
// which takes longer than to run it.
const parts = {
  ...common,
  format: "esm",
  splitting: true,
  entryPoints: [path.join(root, "provider", "src", "plugin.ts")],
  outdir: folder,
  outExtension: { ".js": ".mjs" },
  chunkNames: "parts/[name]-[hash]",
  sourcemap: "linked",
  metafile: true,
  plugins: [oneLanguage, namedExports],
  banner: {
    js: [
      'import { createRequire as __createRequire } from "node:module";',
      "const require = __createRequire(import.meta.url), __dirname = import.meta.dirname, __filename = import.meta.filename;",
    ].join("\n"),
  },
  // Native and optional: whoever asks for them has a way without.
  external: ["secp256k1", "bufferutil", "utf-8-validate"],
  alias: { "@dcx/protocol": path.join(root, "protocol", "src", "index.ts") },
};

// What answers the engine first is read in no time: a few lines, and CommonJS, whose start is the shorter one.
const first = {
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
};

async function bundle() {
  const { metafile } = await esbuild.build(parts);
  await esbuild.build(first);
  removeOthers(new Set(Object.keys(metafile.outputs).map((file) => path.resolve(file))));
}

/** Removes what earlier builds left, but for what a plugin that runs now may still load: the last hour's. */
function removeOthers(kept) {
  for (const place of [folder, path.join(folder, "parts")]) {
    for (const name of readdirSync(place)) {
      const file = path.join(place, name);
      if (/\.m?js(\.map)?$/.test(name) && !kept.has(file) && Date.now() - statSync(file).mtimeMs > 3_600_000) {
        rmSync(file);
      }
    }
  }
}

bundle().catch((error) => {
  process.stderr.write(`error: ${error.message}\n`);
  process.exit(1);
});

const sdk = path.join(root, "sdk", "nodejs");
mkdirSync(path.join(sdk, "bin"), { recursive: true });
copyFileSync(path.join(sdk, "package.json"), path.join(sdk, "bin", "package.json"));
