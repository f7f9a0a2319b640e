"use strict";

// Writes the tables of the pages about configuration from the provider's settings. A part of `npm run generate`, which with
// --check fails where the page is not what the settings say.
const fs = require("node:fs");
const path = require("node:path");

const root = path.resolve(__dirname, "..");
const pages = ["configuration.md", "installation-configuration.md"].map((name) => path.join(root, "docs", name));
const { settings, settingSources, variableOf } = require(
  path.join(root, "provider", "dist", "configuration", "settings.js"),
);

const typeNames = { text: "text", texts: "text or list", flag: "true or false", number: "number" };
const cell = (text) => text.replaceAll("|", "\\|");

/** A section of the page: its settings in a table, each with what it means below. */
function section(title) {
  const own = settings.filter((name) => settingSources[name].section === title);
  const rows = own.map((name) => {
    const { type, secret, default: otherwise, example } = settingSources[name];
    const kind = `${typeNames[type]}${secret ? ", secret" : ""}`;
    return `| \`${name}\` | ${kind} | \`${variableOf(name)}\` | ${cell(otherwise ?? "none")} | \`${cell(example)}\` |`;
  });
  const meanings = own.map((name) => `- \`${name}\`: ${settingSources[name].description}`);
  const head = ["| setting | type | environment | without it | example |", "| --- | --- | --- | --- | --- |"];
  return [`## ${title}`, "", ...head, ...rows, "", ...meanings].join("\n");
}

const begin = "<!-- Written by npm run generate from the provider's settings. Do not edit below. -->";
const end = "<!-- End of what is generated. -->";
const sections = [...new Set(settings.map((name) => settingSources[name].section))].map(section);
for (const page of pages) {
  const text = fs.readFileSync(page, "utf8");
  const [before, after] = [text.indexOf(begin), text.indexOf(end)];
  if (before < 0 || after < before) {
    throw new Error(`${page} has no place for what is generated: it needs the two comments that surround it.`);
  }
  const written = `${text.slice(0, before)}${begin}\n\n${sections.join("\n\n")}\n\n${text.slice(after)}`;
  if (written !== text) fs.writeFileSync(page, written);
}
