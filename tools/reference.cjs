"use strict";

// Writes docs/reference/resources.md from the provider's schema: every resource, function, type and setting with its
// properties. A part of `npm run generate`, which with --check fails where the page is not what the schema says.
const fs = require("node:fs");
const path = require("node:path");

const root = path.resolve(__dirname, "..");
const schemaFile = path.join(root, "provider", "cmd", "pulumi-resource-dcx", "schema.json");
const pageFile = path.join(root, "docs", "reference", "resources.md");

const head = `<!-- Written by npm run generate from the schema of the provider. Do not edit. -->

# Resources and functions

What the provider offers, in every language: names are as in TypeScript and YAML. A **quantity** is a number or a text
with a unit ([how they are written](manifest.md#quantities)). A property with ⟳ replaces the resource when it changes.
`;

/** The page's text. Pure: the schema in, Markdown out. */
function referencePage(schema) {
  const resources = byName(schema.resources);
  const functions = byName(schema.functions);
  const types = byName(schema.types);
  const titles = new Set(resources.map(([name]) => name));
  const table = propertyTables(titles);
  return `${[
    head,
    "## Resources\n",
    ...resources.map((resource) => resourceSection(resource, table)),
    "## Functions\n",
    ...functions.map((spec) => functionSection(spec, table)),
    "## Types\n",
    ...types.map(([name, type]) => section(typeTitle(name, titles), type.description, [table(type)])),
    "## Configuration\n",
    "Settings of the provider: in a stack's configuration as `dcx:<name>`, or as arguments of an explicit provider.\n",
    table({ properties: schema.config.variables, required: [] }),
  ].join("\n")}`;
}

function resourceSection([name, resource], table) {
  const inputs = { properties: resource.inputProperties, required: resource.requiredInputs };
  const outputs = Object.fromEntries(
    Object.entries(resource.properties ?? {}).filter(([property]) => !(property in (resource.inputProperties ?? {}))),
  );
  const title = resource.isComponent === true ? `${name} (component)` : name;
  return section(title, resource.description, [
    "Inputs:\n",
    table(inputs),
    ...(Object.keys(outputs).length === 0
      ? []
      : ["Outputs, beside the inputs:\n", table({ properties: outputs, required: Object.keys(outputs) }, true)]),
  ]);
}

function functionSection([name, spec], table) {
  const outputs = spec.outputs?.properties ?? {};
  return section(name, spec.description, [
    ...(Object.keys(spec.inputs?.properties ?? {}).length === 0
      ? ["It takes no arguments.\n"]
      : ["Arguments:\n", table(spec.inputs)]),
    "Results:\n",
    table({ properties: outputs, required: Object.keys(outputs) }, true),
  ]);
}

function section(title, description, parts) {
  return [`### ${title}\n`, `${prose(description)}\n`, ...parts].join("\n");
}

/** Descriptions may hold examples for each language; those are on the pages of the SDKs. */
function prose(text = "") {
  return text.replace(/\{\{% examples %\}\}[\s\S]*?\{\{% \/examples %\}\}/g, "").trim();
}

/** What a resource and a type both are called is told apart, also for links. */
function typeTitle(name, resources) {
  return resources.has(name) ? `${name}, inline` : name;
}

/** @param resources names of all resources */
function propertyTables(resources) {
  return ({ properties = {}, required = [] }, isOutput = false) => {
    const rows = Object.entries(properties).map(([name, property]) => {
      const marks = [
        !isOutput && required.includes(name) ? "**needed**" : "",
        property.willReplaceOnChanges || property.replaceOnChanges ? "⟳" : "",
        property.secret ? "secret" : "",
      ];
      const notes = [
        prose(property.description),
        property.deprecationMessage === undefined ? "" : `Deprecated: ${property.deprecationMessage}`,
      ];
      const cells = [`\`${name}\``, typeText(property, resources), spaced(marks), spaced(notes)];
      return `| ${cells.map((cell) => cell.replace(/\s*\n\s*/g, " ").replaceAll("|", "\\|")).join(" | ")} |`;
    });
    return rows.length === 0 ? "None.\n" : ["| name | type | | |", "| --- | --- | --- | --- |", ...rows, ""].join("\n");
  };
}

function spaced(words) {
  return words.filter(Boolean).join(" ");
}

function typeText(spec, resources) {
  if (spec.$ref !== undefined) {
    const name = decodeURIComponent(spec.$ref).split(/[/:]/).at(-1);
    if (spec.$ref.startsWith("pulumi.json#")) {
      return name;
    }
    const title = spec.$ref.startsWith("#/types/") ? typeTitle(name, resources) : name;
    return `[${title}](#${title
      .toLowerCase()
      .replace(/[^\w -]/g, "")
      .replaceAll(" ", "-")})`;
  }
  if (spec.oneOf !== undefined) {
    const names = spec.oneOf.map((one) => typeText(one, resources));
    const isQuantity = names.length === 2 && names.includes("number") && names.includes("string");
    return isQuantity ? "quantity" : names.join(" or ");
  }
  if (spec.type === "array") {
    return `list of ${typeText(spec.items, resources)}`;
  }
  if (spec.type === "object") {
    return spec.additionalProperties === undefined ? "map" : `map of ${typeText(spec.additionalProperties, resources)}`;
  }
  return spec.type ?? "any";
}

/** `[short name, spec]`, by name. */
function byName(specs = {}) {
  return Object.entries(specs)
    .map(([token, spec]) => [token.split(":").at(-1), spec])
    .sort(([left], [right]) => left.localeCompare(right, "en"));
}

module.exports = { referencePage };

if (require.main === module) {
  const page = referencePage(JSON.parse(fs.readFileSync(schemaFile, "utf8")));
  fs.writeFileSync(pageFile, page);
}
