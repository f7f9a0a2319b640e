"use strict";

/**
 * `npm run generate`: makes everything again that is generated and committed: wire types from the protobuf
 * definitions, the provider's schema from its typed source, the SDKs and the reference of resources from the schema.
 * With `--check` it fails where what is committed differs from what this makes.
 */
const { execFileSync, spawnSync } = require("node:child_process");
const path = require("node:path");
const { buildGoCommands, defaultCacheDir } = require("./engine.cjs");

const root = path.resolve(__dirname, "..");
const generated = [
  "protocol/src/generated",
  "provider/cmd",
  "sdk",
  "docs/reference/resources.md",
  "docs/configuration.md",
  "docs/installation-configuration.md",
];
const generator = path.join(__dirname, "sdkgen");

function run(program, args, cwd = root) {
  const result = spawnSync(program, args, { cwd, stdio: "inherit" });
  if (result.error || result.status !== 0) {
    throw new Error(`${program} ${args.join(" ")} failed`);
  }
}

/** The commands that write SDKs, built once for all checkouts. */
async function sdkGenerators() {
  const shared = path.join(generator, "writer", "writer.go");
  const build = (directory, name, sources) =>
    buildGoCommands({
      directory,
      packages: [name],
      linkerFlags: "",
      what: "a generator of SDKs",
      takes: "one or two minutes",
      cacheDir: path.join(path.dirname(defaultCacheDir()), "sdkgen"),
      log: (line) => process.stderr.write(`${line}\n`),
      environment: process.env,
      sources: [...sources, shared],
    });
  const newer = await build(__dirname, "./sdkgen", [path.join(generator, "main.go")]);
  const older = path.join(generator, "older");
  const dotnetAndJava = await build(older, "../older", [path.join(older, "main.go"), path.join(older, "logo.png")]);
  return [path.join(newer, "sdkgen"), path.join(dotnetAndJava, "older")];
}

async function main() {
  run("buf", ["lint"]);
  run("buf", ["generate"]);
  run(process.execPath, [path.join(root, "node_modules", "typescript-native", "bin", "tsc"), "-b", "provider"]);
  run(process.execPath, [path.join(root, "provider", "dist", "schema", "write-schema.js")]);
  const schema = path.join(root, "provider", "cmd", "pulumi-resource-dcx", "schema.json");
  for (const command of await sdkGenerators()) {
    run(command, [schema, path.join(root, "sdk")]);
  }
  run(process.execPath, [path.join(root, "tools", "reference.cjs")]);
  run(process.execPath, [path.join(root, "tools", "configuration.cjs")]);
  if (process.argv.includes("--check")) {
    const changed = execFileSync("git", ["status", "--porcelain", "--", ...generated], { cwd: root, encoding: "utf8" });
    if (changed !== "") {
      throw new Error(
        `what is committed differs from what its sources generate; run npm run generate:\n${changed.trimEnd()}`,
      );
    }
  }
}

main().catch((error) => {
  process.stderr.write(`error: ${error.message}\n`);
  process.exit(1);
});
