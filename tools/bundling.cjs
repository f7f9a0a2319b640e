"use strict";

/** What the bundles of the plugin and of the `dcx` command have in common. */
const { createRequire, isBuiltin } = require("node:module");
const path = require("node:path");
// Packages are loaded here for the names that they export, and @peculiar/x509 does not load without this one.
require("reflect-metadata");

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
      kind === "dynamic-import" && namespace !== "named" && !isBuiltin(name) && !name.startsWith("@dcx/")
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

/**
 * Node's own modules by `require`, also where they are imported: an import evaluates all that a module exports, and of
 * what `node:http` exports only when it is asked for, `WebSocket` alone loads more than the rest of the start.
 */
const builtinsRequired = {
  name: "builtins-required",
  setup(build) {
    build.onResolve({ filter: /^[^./]/ }, ({ path: name, kind }) =>
      kind === "import-statement" && isBuiltin(name) ? { path: name, namespace: "builtin" } : undefined,
    );
    build.onLoad({ filter: /.*/, namespace: "builtin" }, ({ path: name }) => ({
      contents: `module.exports = require(${JSON.stringify(name)});`,
    }));
  },
};

/** What CommonJS code expects to find around it, in an ECMAScript module. */
const commonJsNames = [
  'import { createRequire as __createRequire } from "node:module";',
  "const require = __createRequire(import.meta.url), __dirname = import.meta.dirname, __filename = import.meta.filename;",
].join("\n");

/**
 * ECMAScript modules whose lazily loaded parts lie in files of their own: reading and parsing code costs most of a
 * start. Not CommonJS, because Node searches each such file that is imported for its exports, which takes longer than
 * to run it.
 */
const split = {
  ...common,
  format: "esm",
  splitting: true,
  outExtension: { ".js": ".mjs" },
  metafile: true,
  plugins: [oneLanguage, namedExports, builtinsRequired],
  banner: { js: commonJsNames },
};

module.exports = { common, split };
