"use strict";

/**
 * `npm run package`: makes what is released, in `dist/packages`: the plugin as an archive that `pulumi plugin install`
 * takes, and the npm packages.
 *
 *   npm run package                        for this machine's platform
 *   npm run package -- linux-arm64 …       for these; their Node.js comes from npm
 *   npm run package -- all
 */
const { mkdirSync, rmSync } = require("node:fs");
const path = require("node:path");
const { bundlePlugin } = require("./bundle.cjs");
const { bundleCommand } = require("./package/command.cjs");
const { packNpmPackages } = require("./package/npm.cjs");
const { packPlugin } = require("./package/plugin.cjs");
const { here, platforms } = require("./package/platforms.cjs");
const { version } = require("../package.json");

const root = path.resolve(__dirname, "..");
const work = path.join(root, ".cache", "package");

/** Makes everything for these platforms; resolves to the archives, in `out`. */
async function makePackages(wanted, out) {
  mkdirSync(work, { recursive: true });
  mkdirSync(out, { recursive: true });
  const command = path.join(work, "cli");
  const plugin = path.join(work, "plugin");
  rmSync(plugin, { recursive: true, force: true });
  const inputs = [...(await bundleCommand(command)), ...Object.keys((await bundlePlugin(plugin)).inputs)];
  const bundled = { plugin, command, inputs };
  const archives = [];
  for (const platform of wanted) {
    archives.push(await packPlugin({ platform, version, bundled, work, out }));
  }
  archives.push(...packNpmPackages({ command, inputs, work, out }));
  return archives;
}

async function main(args) {
  const wanted = args.length === 0 ? [here] : args.includes("all") ? Object.keys(platforms) : args;
  for (const archive of await makePackages(wanted, path.join(root, "dist", "packages"))) {
    process.stdout.write(`${path.relative(root, archive)}\n`);
  }
}

if (require.main === module) {
  main(process.argv.slice(2)).catch((error) => {
    process.stderr.write(`error: ${error.message}\n`);
    process.exit(1);
  });
}

module.exports = { makePackages };
