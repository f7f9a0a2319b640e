import { Unknown, type Value, type ValueMap } from "../wire/value";

type ResourceType = "Deployment" | "Workload" | "Connection";

/** What other resources may refer to. Unknown where a preview does not tell. */
export interface Made {
  readonly id: Value;
  readonly outputs: ValueMap;
}

export interface Declared {
  readonly type: ResourceType;
  /** Names of the resources that `inputs` refers to: made first, deleted last. */
  readonly after: readonly string[];
  readonly inputs: (of: (name: string) => Made) => ValueMap;
  /** Seconds for creates and updates; absent: the provider's default. */
  readonly timeout?: number;
}

/** By name, in the order of declaration: nothing refers to what comes later. */
export type Program = Readonly<Record<string, Declared>>;

export function deployment(inputs: ValueMap, options: { readonly timeout?: number } = {}): Declared {
  return { type: "Deployment", after: [], inputs: () => inputs, ...options };
}

/** On a deployment of the same program. */
export function workload(on: string, inputs: ValueMap, options: { readonly timeout?: number } = {}): Declared {
  return { type: "Workload", after: [on], inputs: (of) => ({ deployment: of(on).id, ...inputs }), ...options };
}

/** Between workloads of the same program, which it refers to. */
export function connection(
  on: string,
  { to, port, from }: { readonly to: string; readonly port: number; readonly from?: string },
  more: ValueMap = {},
): Declared {
  return {
    type: "Connection",
    after: [on, to, ...(from === undefined ? [] : [from])],
    inputs: (of) => ({
      deployment: of(on).id,
      to: of(to).outputs["name"] ?? Unknown.instance,
      port,
      from: from === undefined ? { global: true } : { workload: of(from).outputs["name"] ?? Unknown.instance },
      ...more,
    }),
  };
}

const group = { cpu: "100m", memory: "64Mi", disk: "64Mi", maxPrice: "20u/block" };

/** Two infrastructures in two regions with so many slots each. */
export function capacity(count = 8): ValueMap {
  return {
    infrastructures: {
      west: { region: "us-west", persist: true, resources: [{ ...group, count }] },
      east: { region: "us-east", persist: true, resources: [{ ...group, count }] },
    },
  };
}

export interface Shape {
  readonly workloads: number;
  readonly connections: number;
  readonly image?: string;
  /** Put into every workload and connection, or into the one deployment. */
  readonly more?: ValueMap;
}

/** A deployment with workloads w1… placed in turns and connections c1… between them, each a resource. */
export function separate({ workloads, connections, image = "web:1", more = {} }: Shape): Program {
  const program: Record<string, Declared> = { shop: deployment({ ...capacity(workloads), ...more }) };
  for (const { name, place } of placed(workloads)) {
    program[name] = workload("shop", { infrastructure: place, container: image, ports: [8080], ...more });
  }
  for (const { name, to, from } of links(workloads, connections)) {
    program[name] = connection("shop", { to, port: 8080, ...(from === undefined ? {} : { from }) }, more);
  }
  return program;
}

/** The same with everything in the deployment. */
export function inline({ workloads, connections, image = "web:1", more = {} }: Shape): Program {
  const entries = placed(workloads).map(
    ({ name, place }) => [name, { infrastructure: place, container: image, ports: [8080] }] as const,
  );
  const between = links(workloads, connections).map(
    ({ name, to, from }) =>
      [name, { to, port: 8080, from: from === undefined ? { global: true } : { workload: from } }] as const,
  );
  return {
    shop: deployment({
      ...capacity(workloads),
      workloads: Object.fromEntries(entries),
      connections: Object.fromEntries(between),
      ...more,
    }),
  };
}

function placed(count: number): readonly { readonly name: string; readonly place: string }[] {
  return Array.from({ length: count }, (_, index) => ({
    name: `w${index + 1}`,
    place: index % 2 === 0 ? "west" : "east",
  }));
}

/** The first is open to everyone; the others lead from each workload to its neighbours. */
function links(
  workloads: number,
  count: number,
): readonly { readonly name: string; readonly to: string; readonly from: string | undefined }[] {
  return Array.from({ length: count }, (_, index) => {
    const step = 1 + Math.floor(index / workloads);
    return {
      name: `c${index + 1}`,
      to: `w${((index + step) % workloads) + 1}`,
      from: index === 0 ? undefined : `w${(index % workloads) + 1}`,
    };
  });
}
