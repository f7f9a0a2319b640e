import { version } from "../version";
import { flag, listOf, optional, type Properties, specs, text } from "./build";
import { componentSpecs } from "./components";
import { functionSpecs, functionTypes } from "./functions";
import { resourceSpecs } from "./resources";
import { types } from "./types";

/**
 * Settings of the provider. None has `defaultInfo.environment`: SDKs would copy the variable into the inputs, and so
 * into the state. The plugin reads the environment itself.
 */
const configuration: Properties = {
  network: optional(
    text,
    "Where to deploy: `embedded` (an exchange on this machine), `exchange` (at `endpoints`), or the URL of an exchange. Environment: DCX_NETWORK.",
  ),
  endpoints: optional(listOf(text), "URLs of nodes of the exchange. Environment: DCX_ENDPOINTS, separated by commas."),
  chainId: optional(text, "Chain that must answer there. Without: whichever does. Environment: DCX_CHAIN_ID."),
  mnemonic: optional(text, "The account that deploys, as 12 to 24 words. Environment: DCX_MNEMONIC.", { secret: true }),
  privateKey: optional(text, "The same as 64 hexadecimal digits. Environment: DCX_PRIVATE_KEY.", { secret: true }),
  keyFile: optional(text, "The same as a file that dcx wrote. Environment: DCX_KEY_FILE."),
  namespace: optional(text, "Keeps two stacks with the same resource names apart. Environment: DCX_NAMESPACE."),
  namespaceKey: optional(text, "For signers that never show their key. Environment: DCX_NAMESPACE_KEY.", {
    secret: true,
  }),
  timeout: optional(text, "How long a create, update or delete may take, such as `10m` (the default)."),
  skipAwait: optional(flag, "Whether resources are done once their transaction is in a block."),
};

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
    language: {
      nodejs: {
        packageName: "@dcx/pulumi",
        packageDescription: "Pulumi SDK of dcx: deploy to decentralized cloud exchanges.",
        respectSchemaVersion: true,
        dependencies: { "@pulumi/pulumi": "^3.142.0" },
      },
      python: { packageName: "pulumi_dcx", respectSchemaVersion: true, pyproject: { enabled: true } },
    },
  };
}

export function schemaText(): string {
  return `${JSON.stringify(packageSchema(), null, 2)}\n`;
}
