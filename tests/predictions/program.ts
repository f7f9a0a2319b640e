import type { Program } from "../support/stack";
import type { Sample } from "./properties";
import { site } from "./site";

type Properties = Readonly<Record<string, unknown>>;

/** Workloads among which the properties of one are dealt out: each changes in some of them only. */
const share = 4;

/**
 * Resources each of which has some properties of a sample, so that one change of the program changes every property of every
 * resource there is.
 *
 * - `terms`: an infrastructure for each property of infrastructures and of their groups, and nothing that runs.
 * - `inline`: workloads and connections in the deployment.
 * - `parts` and `spare`: the same as resources of their own.
 *
 * @param local what only the program knows, and no import brings back
 */
export function programOf(sample: Sample, { local }: { readonly local: boolean }): Program {
  const { waitDuration, managers, maxCostPerMonth, skipAwait, ...there } = sample("Deployment");
  const resources: Record<string, Properties> = {
    terms: resource("Deployment", {
      infrastructures: {
        ...eachAlone("infrastructure", sample("Infrastructure"), (values) => ({
          ...infrastructure("us-west"),
          ...values,
        })),
        ...eachAlone("group", sample("ResourceGroup"), (values) => ({
          ...infrastructure("us-west"),
          resources: [present({ ...slot, ...values })],
        })),
        ...(there["infrastructures"] === true ? { comes: infrastructure("us-east") } : {}),
      },
      ...present({ waitDuration, managers, ...(local ? { maxCostPerMonth, skipAwait } : {}) }),
    }),
    inline: resource("Deployment", {
      infrastructures: capacity,
      workloads: {
        ...dealt("w", sample("InlineWorkload"), (values) => ({ ...workload, ...values })),
        ...servers,
        ...(there["workloads"] === true ? { comes: workload } : {}),
      },
      connections: {
        ...eachAlone("link", sample("InlineConnection"), (values) => connection(values)),
        ...(there["connections"] === true ? { "comes-too": connection({ skipAwait: undefined }) } : {}),
      },
    }),
    parts: resource("Deployment", { infrastructures: capacity }),
    spare: resource("Deployment", { infrastructures: capacity }),
  };
  for (const [name, values] of Object.entries(servers)) {
    resources[name] = entry("Workload", "parts", { name, ...values });
  }
  resources["spare-first"] = entry("Workload", "spare", { name: "first", ...server });
  const { deployment, name, skipAwait: skips, waitFor, ...properties } = sample("Workload");
  const own = (values: Properties): Properties => present(local ? values : {});
  const workloads = dealt("part", properties, (values) => ({ ...workload, ...values }));
  for (const [index, [key, values]] of Object.entries(workloads).entries()) {
    const others = [{ waitFor }, { skipAwait: skips }][index] ?? {};
    resources[key] = entry("Workload", "parts", { ...values, ...own(others) });
  }
  resources["moves"] = entry("Workload", String(deployment), workload);
  resources["named"] = entry("Workload", "parts", present({ ...workload, name }));

  const links = sample("Connection");
  for (const property of ["to", "port", "from"]) {
    resources[`link-${property}`] = link("parts", connection({ [property]: links[property] }));
  }
  const { skipAwait: linkSkips } = links;
  resources["link-skips"] = link("parts", {
    ...connection({ skipAwait: undefined }),
    ...own({ skipAwait: linkSkips }),
  });
  resources["link-moves"] = link(String(links["deployment"]), connection({ deployment: undefined }));
  resources["link-named"] = link("parts", connection({ name: links["name"] }));
  return { resources };
}

const slot = { cpu: "100m", memory: "128Mi", disk: "128Mi", maxPrice: "10/h" };
const infrastructure = (region: string): Properties => ({ region, resources: [slot] });
const capacity = {
  west: {
    region: "us-west",
    persist: true,
    resources: [
      { ...slot, count: 16 },
      { ...slot, count: 16 },
    ],
  },
  east: {
    region: "us-east",
    persist: true,
    resources: [
      { ...slot, count: 16 },
      { ...slot, count: 16 },
    ],
  },
};
const workload = { infrastructure: "west", container: site.images.api, ports: [9000] };

/** A connection of which one property is given: no two lead from the same to the same. */
function connection(values: Properties): Properties {
  const port = 7002 + ["to", "from", "skipAwait", "deployment", "name"].indexOf(Object.keys(values)[0] ?? "");
  return present({ to: "first", port, from: { global: true }, ...values });
}

/** Two for the property itself, and one for the others'. */
const ports = [7000, 7001, 7002, 7003, 7004, 7005, 7006];
/** What connections lead to, and lead from. */
const listens = ports
  .map((port) => `require("node:http").createServer((_, answer) => answer.end("ok")).listen(${port}, bound)`)
  .join(";");
const server = {
  infrastructure: "west",
  container: site.images.api,
  command: [site.images.node, "-e", `const bound = process.env.DCX_BIND_ADDRESS ?? "0.0.0.0";${listens}`],
  ports,
};
const servers: Readonly<Record<string, Properties>> = {
  first: server,
  second: { ...server, infrastructure: "east" },
  client: { infrastructure: "east", container: site.images.api },
};

function resource(type: string, properties: Properties): Properties {
  return { type: `dcx:${type}`, properties };
}

function entry(type: string, deployment: string, properties: Properties): Properties {
  return resource(type, { deployment: `\${${deployment}.id}`, ...properties });
}

/** It names what it leads to and from by plain text, and so says besides what it comes after. */
function link(deployment: string, properties: Properties): Properties {
  const names = deployment === "spare" ? ["spare-first"] : Object.keys(servers);
  const dependsOn = names.map((name) => `\${${name}}`);
  return { ...entry("Connection", deployment, properties), options: { dependsOn } };
}

/** For each property one thing that has this one of the sample. */
function eachAlone(
  prefix: string,
  values: Properties,
  make: (values: Properties) => Properties,
): Readonly<Record<string, Properties>> {
  const name = (property: string): string => `${prefix}-${property}`.toLowerCase();
  return Object.fromEntries(
    Object.entries(values).map(([property, value]) => [name(property), present(make({ [property]: value }))]),
  );
}

/** Some things that have the properties of a sample between them. */
function dealt(
  prefix: string,
  values: Properties,
  make: (values: Properties) => Properties,
): Readonly<Record<string, Properties>> {
  return Object.fromEntries(
    Array.from({ length: share }, (_, index) => {
      const own = Object.entries(values).filter((_one, position) => position % share === index);
      return [`${prefix}${index}`, present(make(Object.fromEntries(own)))];
    }),
  );
}

/** The map without what is undefined. */
function present(values: Properties): Properties {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined));
}
