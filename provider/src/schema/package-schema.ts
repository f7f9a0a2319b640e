import { version } from "../version";
import { specs } from "./build";
import { componentSpecs } from "./components";
import { configuration } from "./configuration";
import { functionSpecs, functionTypes } from "./functions";
import { languages } from "./languages";
import { resourceSpecs } from "./resources";
import { types } from "./types";

/** The package schema, from which the SDKs are generated. */
export function packageSchema(): object {
  const { properties } = specs(configuration);
  return {
    name: "dcx",
    displayName: "dcx",
    version,
    description: "Deploy to decentralized cloud exchanges: capacity, workloads and connections.",
    keywords: ["pulumi", "dcx", "category/cloud", "kind/native"],
    publisher: "dcx",
    namespace: "dcx",
    license: "Apache-2.0",
    config: { variables: properties },
    provider: {
      description: "Where resources are deployed, as whom, and how patiently.",
      inputProperties: properties,
    },
    types: Object.fromEntries(
      Object.entries({ ...types, ...functionTypes }).map(([name, spec]) => [`dcx:index:${name}`, spec]),
    ),
    resources: { ...resourceSpecs(), ...componentSpecs() },
    functions: functionSpecs,
    language: languages,
  };
}

export function schemaText(): string {
  return `${JSON.stringify(packageSchema(), null, 2)}\n`;
}
