import { isDeepStrictEqual } from "node:util";
import fc from "fast-check";
import { site } from "./site";

/**
 * Values of every property of every resource: all of them can be had on the exchange of `site.ts`, in any combination, and no
 * two mean the same. Absent stands for a property that a program leaves out.
 */
type Values = Readonly<Record<string, fc.Arbitrary<unknown>>>;

const absent = undefined;
const { api, otherApi, node } = site.images;
const { addresses } = site;

const groupValues: Values = {
  cpu: fc.constantFrom("100m", 0.15, "0.2"),
  memory: fc.constantFrom("64Mi", 100_663_296, "0.125Gi"),
  disk: fc.constantFrom("64Mi", "96Mi"),
  gpu: fc.constantFrom(absent, 2, { count: 2, vendor: "nvidia" }, { count: 4, vendor: "nvidia", model: "h100" }),
  count: fc.constantFrom(absent, 2, 3),
  maxPrice: fc.constantFrom("10/h", 12.5, "9000u/block"),
  collateral: fc.constantFrom(absent, "1.5", 2),
};

const group = fc.record(
  {
    cpu: fc.constantFrom("100m", "150m"),
    memory: fc.constant("64Mi"),
    disk: fc.constant("64Mi"),
    count: fc.constantFrom(1, 2),
    maxPrice: fc.constantFrom("10/h", "11/h"),
  },
  { noNullPrototype: true },
);

const infrastructureValues: Values = {
  region: fc.constantFrom(absent, "us-west", "us-east"),
  attributes: fc.constantFrom(absent, { tier: "gold" }, { tier: "gold", isolation: site.isolation }),
  allowedDatacenters: fc.constantFrom(absent, addresses, [addresses[0]]),
  deniedDatacenters: fc.constantFrom(absent, [addresses[1]]),
  persist: fc.constantFrom(absent, true),
  resources: fc.array(group, { minLength: 1, maxLength: 3 }),
};

const workloadValues: Values = {
  infrastructure: fc.constantFrom("west", "east"),
  container: fc.constantFrom(api, otherApi, {
    image: api,
    credentials: { username: "robot", password: { "fn::secret": "HUNTER2" } },
  }),
  command: fc.constantFrom(absent, [node, "/app/main.cjs"], [node, "--no-warnings", "/app/main.cjs"]),
  arguments: fc.constantFrom(absent, ["a"], ["a", "b"]),
  environment: fc.option(
    fc.dictionary(
      fc.constantFrom("MODE", "LOG.LEVEL", "KEY"),
      fc.constantFrom<unknown>("quiet", 3, true, { "fn::secret": "HUNTER2" }),
      // None is the same as leaving it out; and what has no prototype would count as different.
      { minKeys: 1, noNullPrototype: true },
    ),
    { nil: absent },
  ),
  ports: fc.constantFrom([9000], [9000, 9001], [9002, 9000]),
  healthCheck: fc.constantFrom(
    absent,
    { http: "/" },
    { tcp: true, interval: "3s" },
    { command: [node, "-e", "0"], interval: "2s", timeout: 5, retries: 4 },
  ),
  volumes: fc.constantFrom(
    absent,
    { data: { path: "/data", size: "16Mi" } },
    { data: { path: "/d", size: 16_777_216 } },
  ),
  compute: fc.constantFrom(absent, { cpu: 0.05, memory: "96Mi" }, { disk: "64Mi" }),
  group: fc.constantFrom(absent, 0, 1),
  count: fc.constantFrom(absent, 2, 3),
  egress: fc.constantFrom(absent, [{ to: "exchange" }], [{ to: "internet", ports: [443] }, { to: "exchange" }]),
};

const connectionValues: Values = {
  to: fc.constantFrom("first", "second"),
  port: fc.constantFrom(7000, 7001),
  from: fc.constantFrom(
    { global: true },
    { workload: "client" },
    { infrastructure: "east" },
    { global: true, hosts: ["shop.test"] },
  ),
};

/** Whether something is there: an infrastructure, an entry of a deployment. */
const isThere = fc.boolean();

/** By resource or type of the schema: what its programs may give it. */
export const generated: Readonly<Record<string, Values>> = {
  Deployment: {
    infrastructures: isThere,
    workloads: isThere,
    connections: isThere,
    waitDuration: fc.constantFrom(absent, 20, "25", "6s"),
    // Left out they stay as they are: that is no change, and no value to change to.
    managers: fc.constantFrom(
      [],
      [{ address: addresses[0], maxPrice: "20u/block", maxCount: 3 }],
      [{ address: addresses[0], regions: ["us-west", "us-east"], mayChangeVersion: true }, { address: addresses[1] }],
    ),
    maxCostPerMonth: fc.constantFrom(absent, "9000000", 9_500_000),
    skipAwait: fc.constantFrom(absent, false),
  },
  Infrastructure: infrastructureValues,
  ResourceGroup: groupValues,
  InlineWorkload: workloadValues,
  InlineConnection: connectionValues,
  Workload: {
    ...workloadValues,
    deployment: fc.constantFrom("parts", "spare"),
    name: fc.constantFrom(absent, "another-name"),
    waitFor: fc.constantFrom("started", "ready"),
    skipAwait: fc.constantFrom(absent, false),
  },
  Connection: {
    ...connectionValues,
    deployment: fc.constantFrom("parts", "spare"),
    name: fc.constantFrom(absent, "another-name"),
    skipAwait: fc.constantFrom(absent, false),
  },
};

type Side = "was" | "is";

/** Two different values of each property. */
export type Change = Readonly<Record<string, Readonly<Record<string, Readonly<Record<Side, unknown>>>>>>;

export const changes: fc.Arbitrary<Change> = fc.record(
  mapped(generated, (values) => fc.record(mapped(values, twoDifferent))),
);

function twoDifferent(values: fc.Arbitrary<unknown>): fc.Arbitrary<Readonly<Record<Side, unknown>>> {
  return fc.record({ was: values, is: values }).filter(({ was, is }) => !isDeepStrictEqual(was, is));
}

function mapped<T, Result>(
  record: Readonly<Record<string, T>>,
  of: (value: T) => Result,
): Readonly<Record<string, Result>> {
  return Object.fromEntries(Object.entries(record).map(([key, value]) => [key, of(value)]));
}

/** The values that a resource or type of the schema has on one side of a change, by property. */
export type Sample = (owner: string) => Readonly<Record<string, unknown>>;

export function sampleOf(change: Change, side: Side): Sample {
  return (owner) => mapped(change[owner] ?? {}, (pair) => pair[side]);
}
