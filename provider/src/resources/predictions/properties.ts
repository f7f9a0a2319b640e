import fc from "fast-check";
import { Secret, type Value, type ValueMap } from "../../wire/value";

/**
 * Values of every property of every resource, for tests: all of them can be had on the network of `prediction.ts`, in any
 * combination.
 */
export type Values = Readonly<Record<string, fc.Arbitrary<Value>>>;

/** Names without a special meaning: what is left out where a property may be left out. */
const price = fc.constantFrom("20u/block", "25u/block", "60u/block");

export const groupValues: Values = {
  cpu: fc.constantFrom("2", "2500m", 3, "4"),
  memory: fc.constantFrom("2Gi", "3Gi", 4_294_967_296),
  disk: fc.constantFrom("10Gi", "12Gi"),
  gpu: fc.constantFrom<Value>(2, { count: 2, vendor: "nvidia" }, { count: 4, vendor: "nvidia", model: "h100" }),
  count: fc.constantFrom(4, 5, "6"),
  maxPrice: price,
  collateral: fc.constantFrom("0", "1.5", 2),
};
export const requiredGroupValues = ["cpu", "memory", "disk", "maxPrice"] as const;

/** With a place for each instance of the workloads below. */
export const group: fc.Arbitrary<ValueMap> = fc.record({
  cpu: fc.constant("4"),
  memory: fc.constant("4Gi"),
  disk: fc.constant("20Gi"),
  gpu: fc.constant({ count: 4, vendor: "nvidia", model: "h100" }),
  count: fc.constantFrom(5, 6),
  maxPrice: price,
});

export const infrastructureValues: Values = {
  region: fc.constantFrom("us-west", "us-east"),
  attributes: fc.constantFrom<Value>({}, { tier: "gold" }),
  allowedDatacenters: fc.constantFrom<Value>(
    [],
    ["sierra", "sable", "tide", "tern"],
    ["tern", "sable", "tide", "sierra"],
  ),
  deniedDatacenters: fc.constantFrom<Value>([], ["nobody"], ["nobody", "somebody"]),
  persist: fc.boolean(),
  resources: fc.array(group, { minLength: 2, maxLength: 3 }),
};

export const workloadValues: Values = {
  infrastructure: fc.constantFrom("west", "east"),
  container: fc.constantFrom<Value>("ghcr.io/acme/web:1.4", "ghcr.io/acme/web:1.5", {
    image: "ghcr.io/acme/web:1.4",
    credentials: { username: "robot", password: new Secret("HUNTER2") },
  }),
  command: fc.constantFrom<Value>([], ["serve"], ["serve", "--fast"]),
  arguments: fc.constantFrom<Value>([], ["a"], ["a", "b"]),
  environment: fc.dictionary(
    fc.constantFrom("MODE", "LOG.LEVEL", "KEY"),
    fc.constantFrom<Value>("quiet", 3, true, new Secret("HUNTER2")),
  ),
  ports: fc.constantFrom<Value>([8080], [8080, 9000], [9000, 8080, 9000]),
  healthCheck: fc.constantFrom<Value>(
    { http: "/healthz" },
    { tcp: true, port: 9000 },
    { command: ["true"], interval: "2s", timeout: 5, retries: 4 },
  ),
  volumes: fc.constantFrom<Value>(
    {},
    { data: { path: "/data", size: "1Gi" } },
    { data: { path: "/d", size: 1_048_576 } },
  ),
  compute: fc.constantFrom<Value>({}, { cpu: 0.5, memory: "64Mi" }, { disk: "2Gi", gpu: 1 }),
  group: fc.constantFrom(0, 1),
  count: fc.constantFrom<Value>(1, 2, "3"),
  egress: fc.constantFrom<Value>([], [{ to: "exchange" }], [{ to: "internet", ports: [443] }, { to: "exchange" }]),
};
export const requiredWorkloadValues = ["infrastructure", "container"] as const;

export const connectionValues: Values = {
  to: fc.constantFrom("web", "api"),
  port: fc.constantFrom(8080, 9000),
  from: fc.constantFrom<Value>({ global: true }, { workload: "other" }, { infrastructure: "east" }, {
    global: true,
    hosts: ["shop.test"],
  } as ValueMap),
};

export const deploymentValues: Values = {
  waitDuration: fc.constantFrom<Value>(2, "5", "3s"),
  managers: fc.constantFrom<Value>(
    [],
    [{ address: "dcx1manager", maxPrice: "20u/block", maxCount: 3 }],
    [{ address: "dcx1manager", regions: ["us-west", "us-east"], mayChangeVersion: true }, { address: "dcx1other" }],
  ),
  maxCostPerMonth: fc.constantFrom<Value>("1000000", 2_000_000),
  skipAwait: fc.constant(false),
};

/** One of these values, or none where it may be left out. */
export function someValueOf(
  values: Values,
  name: string,
  required: readonly string[],
): fc.Arbitrary<Value | undefined> {
  const value = values[name];
  if (value === undefined) {
    throw new Error(`nothing generates ${name}`);
  }
  return required.includes(name) ? value : fc.option(value, { nil: undefined });
}

/** The map without what is undefined. */
export function present(map: Readonly<Record<string, Value | undefined>>): ValueMap {
  return Object.fromEntries(Object.entries(map).flatMap(([key, value]) => (value === undefined ? [] : [[key, value]])));
}
