import fc from "fast-check";
import { ModelNetwork } from "../network/model/model-network";
import { type Kept, ModelProvider } from "../server/testing/model-provider";
import { Secret, type Value, type ValueMap } from "../wire/value";

/** Programs with every property that there is, in every spelling that means something. */
const RUNS = 10;

function some(fields: Readonly<Record<string, fc.Arbitrary<Value>>>, needed: readonly string[] = []) {
  return fc.record(fields, { requiredKeys: [...needed] }) as fc.Arbitrary<ValueMap>;
}
const size = (mebibytes: number): fc.Arbitrary<Value> =>
  fc.constantFrom(`${mebibytes}Mi`, mebibytes * 2 ** 20, String(mebibytes * 2 ** 20), `${mebibytes / 1024}Gi`);
const cpu = fc.constantFrom<Value>(0.25, "250m", "0.25");
const price = fc.constantFrom<Value>(
  "0.40",
  0.4,
  "0.40/h",
  "120u/block",
  "30/day",
  "250/month",
  "77.000000000000000001u/block",
);
const tokens = fc.constantFrom<Value>(1, "0.5", "250u", "1000000u");
const gpu = fc.oneof(
  fc.constant<Value>(1),
  some({ count: fc.constant(1), vendor: fc.constant("nvidia"), model: fc.constant("h100") }, ["count"]),
);
// biome-ignore lint/suspicious/noTemplateCurlyInString: what other languages would fill in
const odd = ["", "yes", "null", "${HOME}", "a: b # c", "one\ntwo\n", " padded ", "0x10", "1e3"];
const texts = fc.oneof(fc.constantFrom(...odd), fc.string({ unit: "grapheme", maxLength: 8 }));
const port = fc.constantFrom<Value>(8080, "9000", 1, 65535);
const ports = fc.uniqueArray(port, { minLength: 1, maxLength: 3, selector: Number });
const time = fc.constantFrom<Value>(2, "500ms", "10s", 0.5, "1m");

/** Its first group has slots enough for two workloads that take whole ones. */
const infrastructure = some(
  {
    region: fc.constant("us-west"),
    attributes: fc.constant({ isolation: "sandbox" }),
    allowedDatacenters: fc.constantFrom(["sierra"], ["summit", "sierra", "sierra"]),
    deniedDatacenters: fc.constantFrom(["elsewhere", "another"], []),
    persist: fc.constantFrom<Value>(true, false, "true"),
    resources: some(
      {
        cpu,
        memory: size(256),
        disk: size(1024),
        maxPrice: price,
        gpu,
        collateral: tokens,
        count: fc.constantFrom<Value>(4, "5"),
      },
      ["cpu", "memory", "disk", "maxPrice", "count"],
    ).chain((first) =>
      fc
        .array(
          some({ cpu, memory: size(64), disk: size(64), maxPrice: price, count: fc.constant(1) }, [
            "cpu",
            "memory",
            "disk",
            "maxPrice",
          ]),
          { maxLength: 1 },
        )
        .map((more) => [first, ...more]),
    ),
  },
  ["resources"],
);
const manager = some(
  {
    address: fc.constantFrom("dcx1manager", "dcx1other"),
    maxPrice: price,
    maxCount: fc.constant(3),
    regions: fc.constantFrom(["us-west", "us-east"], []),
    datacenters: fc.constantFrom(["sierra"], []),
    mayChangeVersion: fc.boolean(),
    endHeight: fc.constant(99_999),
  },
  ["address"],
);
const terms = {
  infrastructures: infrastructure.map((west): Value => ({ west })),
  waitDuration: fc.constantFrom<Value>(3, "2s", "5", "10s"),
  managers: fc.uniqueArray(manager, { maxLength: 2, selector: ({ address }) => address }),
  maxCostPerMonth: fc.constantFrom<Value>("1000000000", 999_999_999),
};

const workload = fc
  .tuple(
    ports,
    some(
      {
        container: fc.oneof(
          fc.constantFrom<Value>("ghcr.io/acme/web:1.4", `web@sha256:${"ab".repeat(32)}`, { image: "web:1" }),
          texts.map((password) => ({
            image: "web:1",
            credentials: { username: "me", password: new Secret(`p${password}`) },
          })),
        ),
        command: fc.array(texts, { maxLength: 2 }),
        arguments: fc.array(texts, { maxLength: 2 }),
        environment: fc.dictionary(
          fc.constantFrom("KEY", "OTHER_KEY", "a.b", "X1"),
          fc.oneof<fc.Arbitrary<Value>[]>(
            texts,
            texts.map((one) => new Secret(one)),
            fc.integer(),
            fc.boolean(),
            fc.constant(0.1),
          ),
        ),
        healthCheck: fc.oneof(
          some({ http: fc.constant("/healthz"), interval: time, timeout: time, retries: fc.constantFrom(3, 7) }, [
            "http",
          ]),
          some({ tcp: fc.constant(true), interval: time }, ["tcp"]),
          some({ command: fc.constant(["true", "x y"]), timeout: time }, ["command"]),
        ),
        volumes: fc
          .dictionary(
            fc.constantFrom("data", "cache"),
            some({ path: fc.constantFrom("/data", "/var/x"), size: size(16) }, ["path", "size"]),
          )
          .map((volumes) =>
            Object.fromEntries(
              Object.entries(volumes).map(([name, one]): [string, Value] => [name, { ...one, path: `/${name}` }]),
            ),
          ),
        compute: some({ cpu: fc.constantFrom<Value>("100m", 0.1), memory: size(128), disk: size(512) }),
        count: fc.constantFrom<Value>(1, 2, "2"),
        group: fc.constantFrom<Value>(0, "0"),
        egress: fc.constantFrom<Value>(
          [{ to: "exchange" }],
          [{ to: "internet", addresses: ["203.0.113.0/24", "198.51.100.0/24"], ports: [443, 80] }],
          [{ to: "internet" }, { to: "exchange" }],
          [],
        ),
      },
      ["container"],
    ),
  )
  .map(([listening, rest]): ValueMap => ({ infrastructure: "west", ports: listening, ...rest }));

/** Connections to a workload that is called `web`, from one that is called `api`. */
function connectionsTo({ ports: listening }: ValueMap): fc.Arbitrary<Readonly<Record<string, ValueMap>>> {
  const [first = 1] = Array.isArray(listening) ? listening : [];
  const from = {
    tunnel: fc.constant<Value>({ workload: "api" }),
    place: fc.constant<Value>({ infrastructure: "west" }),
    public: fc.constantFrom<Value>({ global: true }, { global: "true", hosts: ["www.example.com", "example.com"] }),
  };
  return fc
    .record(from, { requiredKeys: [] })
    .map((chosen) =>
      Object.fromEntries(
        Object.entries(chosen).map(([name, source]) => [name, { to: "web", port: first, from: source }]),
      ),
    );
}

const application = fc
  .record({ deployment: some(terms, ["infrastructures"]), web: workload, api: workload })
  .chain(({ deployment, web, api }) =>
    connectionsTo(web).map((connections) => ({ deployment, workloads: { web, api }, connections })),
  );

/** Neither the program that made it nor the one that `pulumi import` writes differs from what is imported. */
async function expectFaithful(provider: ModelProvider, type: string, name: string, made: Kept): Promise<void> {
  const kept = await provider.import(type, name, made.id);
  if (kept === undefined) {
    throw new Error(`${made.id} is not found`);
  }
  expect(await provider.diff(type, name, kept, made.inputs)).toEqual([]);
  const written = await provider.check(type, name, kept.inputs);
  expect(await provider.diff(type, name, kept, written)).toEqual([]);
  // Whose words they are, a read keeps them.
  for (const inputs of [written, made.inputs]) {
    expect((await provider.read(type, name, { ...kept, inputs }))?.inputs).toEqual(inputs);
  }
}

describe("importing", () => {
  let made: ModelProvider;
  let imports: ModelProvider;
  let runs = 0;

  beforeAll(async () => {
    const network = new ModelNetwork();
    Object.assign(network.addDatacenter("sierra", "us-west"), { attributes: { isolation: "sandbox" } });
    made = await ModelProvider.start(network);
    imports = await ModelProvider.start(network, "other");
  });
  afterAll(async () => {
    await made[Symbol.asyncDispose]();
    await imports[Symbol.asyncDispose]();
  });

  it("an inline deployment, whatever it declares, makes no difference to it", async () => {
    await fc.assert(
      fc.asyncProperty(application, async ({ deployment, workloads, connections }) => {
        runs += 1;
        const name = `shop-${runs}`;
        const kept = await made.create("Deployment", name, { ...deployment, workloads, connections });
        expect(kept.reasons).toEqual([]);
        await expectFaithful(imports, "Deployment", name, kept);
      }),
      { numRuns: RUNS },
    );
  }, 120_000);

  it("a deployment, its workloads and its connections, whatever they declare, makes no difference to them", async () => {
    await fc.assert(
      fc.asyncProperty(application, async ({ deployment, workloads, connections }) => {
        runs += 1;
        const shop = await made.create("Deployment", `shop-${runs}`, deployment);
        const parts: [string, string, Kept][] = [["Deployment", `shop-${runs}`, shop]];
        for (const [name, one] of Object.entries(workloads)) {
          const given = { deployment: shop.id, name, ...one, ...(name === "web" ? { waitFor: "ready" } : {}) };
          parts.push(["Workload", `${name}-${runs}`, await made.create("Workload", `${name}-${runs}`, given)]);
        }
        for (const [name, one] of Object.entries(connections)) {
          const given = { deployment: shop.id, name, ...one };
          parts.push(["Connection", `${name}-${runs}`, await made.create("Connection", `${name}-${runs}`, given)]);
        }
        for (const [type, name, kept] of parts) {
          expect(kept.reasons).toEqual([]);
          await expectFaithful(imports, type, name, kept);
        }
      }),
      { numRuns: RUNS },
    );
  }, 120_000);
});
