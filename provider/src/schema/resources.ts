import {
  either,
  flag,
  listOf,
  mapOf,
  optional,
  type Properties,
  quantity,
  required,
  resourceNamed,
  specs,
  text,
  typeNamed,
} from "./build";
import { connectionProperties, workloadProperties } from "./types";

interface ResourceSource {
  readonly description: string;
  readonly inputs: Properties;
  /** Beside the inputs, which are outputs too. */
  readonly outputs: Properties;
  /** What can be asked for when those that there are are listed. */
  readonly listInputs: Properties;
}

const replaces = { willReplaceOnChanges: true } as const;

const inDeployment: Properties = {
  deployment: required(
    either(text, resourceNamed("Deployment")),
    "The deployment that it belongs to, or its id.",
    replaces,
  ),
  name: optional(text, "Its name in the deployment. Without: the resource's own name.", replaces),
};

const ofDeployment: Properties = { deployment: required(text, "Id of the deployment whose own are listed.") };

export const leases = required(mapOf(typeNamed("Lease")), "What each infrastructure has got, by its name.");
export const deploymentId = required(text, "`<chain>/<tenant>/<sequence>`");
export const rawAddresses = optional(
  mapOf(text),
  "Host and port, for what is not in TLS, of each global connection whose address has a host name, by its name. Absent where there is none.",
);
export const incarnation = required(text, "How often it was created or taken over.");

const resources: Readonly<Record<string, ResourceSource>> = {
  Deployment: {
    description:
      "Capacity wanted on a decentralized cloud exchange, at what price, and, inline, what runs on it. Created, it " +
      "has an active lease for each infrastructure, and what is declared inline runs and can be reached.",
    inputs: {
      infrastructures: required(mapOf(typeNamed("Infrastructure")), "What is leased, by name."),
      waitDuration: optional(
        quantity,
        'How long offers are gathered before the cheapest wins: blocks, or a time such as `"10s"`.',
      ),
      workloads: optional(
        mapOf(typeNamed("InlineWorkload")),
        "Workloads by name, inline. Not together with Workload resources.",
      ),
      connections: optional(
        mapOf(typeNamed("InlineConnection")),
        "Connections by name, inline. Not together with Connection resources.",
      ),
      managers: optional(listOf(typeNamed("Manager")), "Accounts that may change it too."),
      maxCostPerMonth: optional(quantity, "Tokens a month above which nothing is ordered."),
      skipAwait: optional(flag, "Whether it is done once its transaction is in a block."),
    },
    outputs: {
      deploymentId,
      leases,
      incarnation,
      version: optional(text, "Of an inline deployment: the SHA-256 of its manifest."),
      addresses: optional(mapOf(text), "Of an inline deployment: where each connection is reached, by its name."),
      rawAddresses,
    },
    listInputs: {
      tenant: optional(text, "Address of the account whose active deployments are listed. Without: one's own."),
    },
  },
  Workload: {
    description: "Containers that run on the capacity of a deployment.",
    inputs: {
      ...inDeployment,
      ...workloadProperties,
      waitFor: optional(text, "`started` (the default) or `ready`: when it is done."),
      skipAwait: optional(flag, "Whether it is done once its transaction is in a block."),
    },
    outputs: {
      digest: required(text, "Salted hash of what is declared."),
      state: required(text, "What its instances do."),
    },
    listInputs: ofDeployment,
  },
  Connection: {
    description: "Who may talk to a workload. Without one, nobody may.",
    inputs: {
      ...inDeployment,
      ...connectionProperties,
      skipAwait: optional(flag, "Whether it is done once its transaction is in a block."),
    },
    outputs: {
      address: required(text, "A URL for everyone, or the name and port that the source sees."),
      rawAddress: optional(
        text,
        "Of a global one whose address has a host name: host and port of its own, for what is not in TLS.",
      ),
      digest: required(text, "Salted hash of what is declared."),
    },
    listInputs: ofDeployment,
  },
};

/** What a `Deployment` takes, for others that take the same. */
export function deploymentInputs(): ReturnType<typeof specs> {
  return specs(resources["Deployment"]?.inputs ?? {});
}

/** What a person may leave out and always gets back, or gets back in another form than given. */
const outputForms: Properties = {
  deployment: required(text, "Id of the deployment that it belongs to."),
  name: required(text, "Its name in the deployment."),
};

export function resourceSpecs(): Readonly<Record<string, object>> {
  return Object.fromEntries(
    Object.entries(resources).map(([name, { description, inputs, outputs, listInputs }]) => {
      const input = specs(inputs);
      const echoed = Object.fromEntries(
        Object.entries(inputs).map(([property, given]) => [property, outputForms[property] ?? given]),
      );
      return [
        `dcx:index:${name}`,
        {
          description,
          inputProperties: input.properties,
          requiredInputs: input.required,
          ...specs({ ...echoed, ...outputs }),
          listInputs: { type: "object", ...specs(listInputs) },
        },
      ];
    }),
  );
}
