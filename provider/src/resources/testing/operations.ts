import { ModelNetwork } from "../../network/model/model-network";
import { Secret, type ValueMap } from "../../wire/value";
import { resourcesOn } from "../index";
import type { CallContext, Resource } from "../resource";

const settings = { namespace: "", timeout: 10, skipAwait: false };
export const group = { cpu: "500m", memory: "256Mi", disk: "1Gi", maxPrice: "20u/block" };

export function world(
  datacenters: readonly (readonly [string, string])[] = [
    ["sierra", "us-west"],
    ["tide", "us-east"],
  ],
) {
  const network = new ModelNetwork();
  for (const [name, region] of datacenters) {
    network.addDatacenter(name, region);
  }
  return { network, ...provider(network) };
}

/** A provider process on that network. */
export function provider(network: ModelNetwork) {
  const { resources } = resourcesOn(network, settings);
  const get = (type: string): Resource => {
    const found = resources.get(`dcx:index:${type}`);
    if (found === undefined) {
      throw new Error(`no ${type}`);
    }
    return found;
  };
  return { Deployment: get("Deployment"), Workload: get("Workload"), Connection: get("Connection") };
}

export function context(type: string, name: string, stack = "dev", signal: AbortSignal = new AbortController().signal) {
  const lines: string[] = [];
  const made: CallContext & { lines: string[] } = {
    urn: `urn:pulumi:${stack}::shop::dcx:index:${type}::${name}`,
    signal,
    status: (line) => void lines.push(line),
    log: (severity, line) => lines.push(`${severity}: ${line}`),
    lines,
  };
  return made;
}

export async function checked(resource: Resource, type: string, name: string, inputs: ValueMap): Promise<ValueMap> {
  const result = await resource.check({ inputs, oldInputs: undefined, name }, context(type, name));
  expect(result.failures).toEqual([]);
  return result.inputs;
}

export async function failures(resource: Resource, type: string, inputs: ValueMap): Promise<string> {
  const { failures: found } = await resource.check(
    { inputs, oldInputs: undefined, name: "shop" },
    context(type, "shop"),
  );
  return found.map(({ reason }) => reason).join("\n");
}

export const inlineInputs: ValueMap = {
  infrastructures: { west: { region: "us-west", persist: true, resources: [{ ...group, count: 2 }] } },
  workloads: {
    web: {
      infrastructure: "west",
      container: { image: "ghcr.io/acme/web:1.4" },
      ports: [8080],
      count: "2",
      environment: { KEY: new Secret("hunter2"), DEBUG: true },
    },
  },
  connections: { public: { to: "web", port: 8080, from: { global: true } } },
};

export async function create(resource: Resource, type: string, name: string, inputs: ValueMap, stack = "dev") {
  const normal = await checked(resource, type, name, inputs);
  const made = await resource.create({ inputs: normal, preview: false, timeout: 0 }, context(type, name, stack));
  return { ...made, inputs: normal };
}

export function diff(
  resource: Resource,
  type: string,
  name: string,
  made: { id: string; inputs: ValueMap; state: ValueMap },
  inputs = made.inputs,
) {
  const request = { id: made.id, inputs, oldInputs: made.inputs, oldState: made.state, ignoreChanges: [] };
  return resource.diff(request, context(type, name));
}

export function update(
  resource: Resource,
  type: string,
  name: string,
  made: { id: string; inputs: ValueMap; state: ValueMap },
  inputs: ValueMap,
  preview = false,
  ctx = context(type, name),
) {
  return resource.update(
    { id: made.id, inputs, oldInputs: made.inputs, oldState: made.state, preview, timeout: 0, ignoreChanges: [] },
    ctx,
  );
}

export const capacity: ValueMap = {
  infrastructures: {
    west: { region: "us-west", resources: [{ ...group, count: 4 }] },
    east: { region: "us-east", resources: [{ ...group, count: 4 }] },
  },
};
export const web = (deployment: string): ValueMap => ({
  deployment,
  infrastructure: "west",
  container: "web:1",
  ports: [8080],
});
