"use strict";

// Tests that bundle a program do so synchronously; by a worker thread of esbuild's, Node would spin for ever at exit.
process.env.ESBUILD_WORKER_THREADS = "0";

// Sources are transformed by swc as they are loaded; so are the dependencies that ship as ES modules only, which
// jest can't `require` on every Node version that we support.
const swc = [
  "@swc/jest",
  {
    jsc: { parser: { syntax: "typescript", decorators: true }, target: "es2022" },
    module: { type: "commonjs" },
    sourceMaps: "inline",
  },
];
const esModulesOnly = [
  "@noble",
  "@scure",
  "canonicalize",
  "commander",
  "zod",
  "fast-check",
  "pure-rand",
  "age-encryption",
  "p-retry",
  "env-paths",
];
const shared = {
  rootDir: __dirname,
  testEnvironment: "node",
  transform: { "^.+\\.(ts|js|mjs)$": swc },
  transformIgnorePatterns: [`/node_modules/(?!(${esModulesOnly.join("|")})/)`, "^(?!.*/node_modules/).*/dist/"],
  moduleNameMapper: {
    // A lazy import() needs the extension that the compiled file will have.
    "^(\\.{1,2}/.*)\\.js$": "$1",
    "^@dcx/(protocol|exchange|datacenter|provider|cli)$": "<rootDir>/$1/src/index.ts",
  },
  modulePathIgnorePatterns: ["/dist/", "/.cache/", "/sdk/nodejs/bin/"],
};

module.exports = {
  // Only what hangs: on a busy machine that runs three files at once what takes seconds alone may take a minute.
  testTimeout: 120_000,
  testSequencer: "<rootDir>/tools/test-sequencer.cjs",
  reporters: [
    "default",
    ["jest-junit", { outputDirectory: "reports", outputName: process.env.JEST_REPORT ?? "junit.xml" }],
  ],
  projects: [
    {
      ...shared,
      displayName: "unit",
      testMatch: ["<rootDir>/{protocol,exchange,datacenter,provider,cli}/src/**/*.spec.ts"],
    },
    { ...shared, displayName: "end-to-end", testMatch: ["<rootDir>/tests/**/*.spec.ts"] },
  ],
};
