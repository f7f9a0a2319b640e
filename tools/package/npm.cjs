"use strict";

/**
 * The npm packages that are published: the SDK, what programs use beside it (the client of exchanges and agents), and
 * the `dcx` command, which has the other parts in it.
 */
const { cpSync, mkdirSync, rmSync, writeFileSync } = require("node:fs");
const path = require("node:path");
const { native } = require("./command.cjs");
const { writeNotices } = require("./notices.cjs");
const { installed, manifest, run } = require("./packages.cjs");

const root = path.resolve(__dirname, "..", "..");
const published = ["protocol", "sdk/nodejs"];

/** @returns {readonly string[]} the archives, as `npm publish` takes them */
function packNpmPackages({ command, inputs, work, out }) {
  const folders = published.map((folder) => path.join(root, folder));
  return [...folders, stageCommand(command, inputs, work)].map((folder) => {
    const [{ filename }] = JSON.parse(
      run("npm", ["pack", folder, "--json", "--loglevel=error", "--ignore-scripts", "--pack-destination", out]),
    );
    return path.join(out, filename);
  });
}

/** The `dcx` command as a package: what is bundled in it needs no dependencies, what has machine code is one. */
function stageCommand(command, inputs, work) {
  const stage = path.join(work, "npm-cli");
  rmSync(stage, { recursive: true, force: true });
  mkdirSync(stage, { recursive: true });
  cpSync(path.join(command, "bundle"), path.join(stage, "bundle"), { recursive: true });
  cpSync(path.join(root, "cli", "README.md"), path.join(stage, "README.md"));
  cpSync(path.join(root, "LICENSE"), path.join(stage, "LICENSE"));
  writeNotices(path.join(stage, "NOTICES.txt"), inputs);
  const { name, version, description, license, engines, keywords } = manifest(path.join(root, "cli"));
  const versions = Object.fromEntries(native.map((one) => [one, `^${manifest(path.join(installed, one)).version}`]));
  const { lmdb, ...optional } = versions;
  const content = {
    name,
    version,
    description,
    keywords,
    license,
    engines,
    bin: { dcx: "bundle/dcx.cjs" },
    files: ["bundle", "NOTICES.txt"],
    dependencies: { lmdb },
    optionalDependencies: optional,
  };
  writeFileSync(path.join(stage, "package.json"), `${JSON.stringify(content, null, 2)}\n`);
  return stage;
}

module.exports = { packNpmPackages };
