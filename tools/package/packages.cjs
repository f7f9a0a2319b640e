"use strict";

const { spawnSync } = require("node:child_process");
const { cpSync, existsSync, mkdirSync, readFileSync, renameSync, rmSync } = require("node:fs");
const path = require("node:path");

const root = path.resolve(__dirname, "..", "..");
const installed = path.join(root, "node_modules");

/** The folder of an npm package of exactly this version (`name@version`), fetched once and kept in `cache`. */
function fetchPackage(spec, cache) {
  const folder = path.join(cache, spec.replaceAll("/", "+"));
  if (existsSync(folder)) {
    return folder;
  }
  const aside = `${folder}.${process.pid}`;
  rmSync(aside, { recursive: true, force: true });
  mkdirSync(aside, { recursive: true });
  const npm = run("npm", ["pack", spec, "--json", "--loglevel=error", "--pack-destination", aside]);
  const [{ filename }] = JSON.parse(npm);
  run("tar", ["-xzf", path.join(aside, filename), "-C", aside, "--strip-components=1"]);
  rmSync(path.join(aside, filename));
  renameSync(aside, folder);
  return folder;
}

/** Copies installed packages and all that they need, as `node_modules`. Needs that are optional are left out. */
function copyPackages(names, destination, done = new Set()) {
  for (const name of names) {
    if (done.has(name)) {
      continue;
    }
    done.add(name);
    const source = path.join(installed, name);
    cpSync(source, path.join(destination, name), { recursive: true, filter: (file) => isNeeded(source, file) });
    copyPackages(Object.keys(manifest(source).dependencies ?? {}), destination, done);
  }
}

/** What runs; neither sources of machine code nor what belongs to one platform, nor packages within packages. */
function isNeeded(source, file) {
  const [top] = path.relative(source, file).split(path.sep);
  return (
    !["src", "dependencies", "deps", "prebuilds", "build", "node_modules", "test", "tests"].includes(top) &&
    !/\.(map|md|ts|cts|gyp|gypi|h|c|cc|cpp)$/.test(file)
  );
}

function manifest(folder) {
  return JSON.parse(readFileSync(path.join(folder, "package.json"), "utf8"));
}

/** Standard output of a command. Throws with what it said when it fails. */
function run(program, args, options = {}) {
  const result = spawnSync(program, args, { cwd: root, encoding: "utf8", maxBuffer: 64 * 2 ** 20, ...options });
  if (result.error || result.status !== 0) {
    throw new Error(`${program} ${args.join(" ")} failed: ${result.error?.message ?? result.stderr.trim()}`);
  }
  return result.stdout;
}

module.exports = { copyPackages, fetchPackage, installed, manifest, run };
