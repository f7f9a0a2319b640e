"use strict";

/**
 * `npm run generate`: makes everything again that is generated and committed: wire types from the protobuf
 * definitions, the provider's schema from its typed source, the SDK and the reference of resources from the schema.
 * With `--check` it fails where what is committed differs from what this makes.
 */
const { execFileSync, spawnSync } = require("node:child_process");
const path = require("node:path");

const root = path.resolve(__dirname, "..");
const generated = [
  "protocol/src/generated",
  "provider/cmd",
  "sdk",
  "docs/reference/resources.md",
  "docs/configuration.md",
];

function run(program, args, cwd = root) {
  const result = spawnSync(program, args, { cwd, stdio: "inherit" });
  if (result.error || result.status !== 0) {
    process.stderr.write(`error: ${program} ${args.join(" ")} failed\n`);
    process.exit(1);
  }
}

run("buf", ["lint"]);
run("buf", ["generate"]);
run(process.execPath, [path.join(root, "node_modules", "typescript-native", "bin", "tsc"), "-b", "provider"]);
run(process.execPath, [path.join(root, "provider", "dist", "schema", "write-schema.js")]);
run("go", ["run", "./sdkgen"], path.join(root, "tools"));
run(process.execPath, [path.join(root, "tools", "reference.cjs")]);
run(process.execPath, [path.join(root, "tools", "configuration.cjs")]);

if (process.argv.includes("--check")) {
  const changed = execFileSync("git", ["status", "--porcelain", "--", ...generated], { cwd: root, encoding: "utf8" });
  if (changed !== "") {
    process.stderr.write(
      `error: what is committed differs from what its sources generate; run npm run generate:\n${changed}`,
    );
    process.exit(1);
  }
}
