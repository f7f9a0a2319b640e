"use strict";

const { existsSync, readdirSync, readFileSync, writeFileSync } = require("node:fs");
const path = require("node:path");

const root = path.resolve(__dirname, "..", "..");

/**
 * Writes the licenses of the packages that went into a bundle, and of Node.js where its package's folder is given.
 */
function writeNotices(file, inputs, node) {
  const folders = new Set(inputs.map(packageOf).filter((folder) => folder !== undefined));
  const texts = [...folders].sort().map((folder) => {
    const { name, version, license } = JSON.parse(readFileSync(path.join(folder, "package.json"), "utf8"));
    return `${name} ${version} (${license ?? "see its repository"})\n\n${licenseText(folder)}`;
  });
  if (node !== undefined) {
    texts.push(`Node.js\n\n${licenseText(node) || "https://github.com/nodejs/node/blob/main/LICENSE\n"}`);
  }
  writeFileSync(file, texts.join(`\n${"-".repeat(80)}\n\n`));
}

/** The folder of the package that an input lies in. */
function packageOf(input) {
  const found = /^(?:[^:]*:)?(.*node_modules\/(?:@[^/]+\/)?[^/]+)\//.exec(input);
  return found === null || !existsSync(path.join(root, found[1], "package.json"))
    ? undefined
    : path.join(root, found[1]);
}

function licenseText(folder) {
  const name = readdirSync(folder).find((one) => /^licen[cs]e(\.|$)/i.test(one));
  return name === undefined ? "" : readFileSync(path.join(folder, name), "utf8");
}

module.exports = { writeNotices };
