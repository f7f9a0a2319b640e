import { ModelNetwork } from "../../network/model/model-network";
import { packageSchema } from "../../schema/package-schema";
import { ModelEngine } from "../../server/model/engine";
import { Secret, Unknown, type ValueMap } from "../../wire/value";
import type { ProviderFunctionRules } from "./arguments";
import { getBalance } from "./get-balance";
import { getDatacenters } from "./get-datacenters";
import { getDeployment } from "./get-deployment";
import { getLeases } from "./get-leases";
import { getOrders } from "./get-orders";
import { getQuote } from "./get-quote";
import { getVersion } from "./get-version";

const price = "20u/block";
const group = { cpu: "500m", memory: "256Mi", disk: "1Gi", maxPrice: price };
const shop: ValueMap = {
  infrastructures: { west: { region: "us-west", resources: [{ ...group, count: 2 }] } },
  workloads: {
    web: {
      infrastructure: "west",
      container: "ghcr.io/acme/web:1.4",
      ports: [8080],
      environment: { KEY: new Secret("HUNTER2") },
    },
  },
  connections: { public: { to: "web", port: 8080, from: { global: true } } },
};

let network: ModelNetwork;
let engine: ModelEngine;

beforeEach(async () => {
  network = new ModelNetwork();
  network.addDatacenter("sierra", "us-west", 10n * 10n ** 18n, { isolation: "container", tier: "gold" });
  network.addDatacenter("tide", "us-east", 5n * 10n ** 18n, { isolation: "sandbox" });
  network.addDatacenter("dear", "us-west", 30n * 10n ** 18n, { isolation: "container" });
  engine = await ModelEngine.start(network);
});
afterEach(() => engine.close());

async function made(): Promise<{ id: string; version: string }> {
  const { id, state } = await engine.create("Deployment", "shop", await engine.check("Deployment", "shop", shop));
  return { id, version: String(state["version"]) };
}

test("the schema offers exactly the arguments that the functions take", () => {
  const { functions } = packageSchema() as {
    functions: Record<string, { inputs: { properties: object; required: string[] } }>;
  };
  const rules = [getBalance, getDatacenters, getDeployment, getLeases, getOrders, getQuote, getVersion];
  const taken = (one: ProviderFunctionRules) => [
    one.token,
    Object.keys(one.fields).sort(),
    Object.keys(one.fields).filter((name) => one.fields[name]?.required),
  ];
  expect(
    Object.entries(functions).map(([token, { inputs }]) => [
      token,
      Object.keys(inputs.properties).sort(),
      inputs.required,
    ]),
  ).toEqual(rules.map(taken));
});

describe("getDatacenters", () => {
  const names = async (args: ValueMap): Promise<unknown> =>
    ((await engine.invoke("getDatacenters", args))["datacenters"] as { name: string }[]).map(({ name }) => name);

  it("tells all by place, and by region, attributes and isolation", async () => {
    expect(await names({})).toEqual(["tide", "dear", "sierra"]);
    expect(await names({ region: "us-west" })).toEqual(["dear", "sierra"]);
    expect(await names({ attributes: { tier: "gold" } })).toEqual(["sierra"]);
    expect(await names({ isolation: "sandbox" })).toEqual(["tide"]);
    expect(await names({ region: "us-east", isolation: "container" })).toEqual([]);
  });

  it("refuses an isolation that there is not", async () => {
    await expect(names({ isolation: "strong" })).rejects.toThrow(
      'isolation: must be one of container, sandbox, none, not "strong"',
    );
  });
});

describe("getQuote", () => {
  const infrastructures = { west: { region: "us-west", resources: [{ ...group, count: 2 }] } };

  it("tells who would bid and at what price, the cheapest first, and why the others would not", async () => {
    network.addDatacenter("cheap", "us-west", 4n * 10n ** 18n);
    const quote = await engine.invoke("getQuote", { infrastructures });
    const cost = { rate: expect.any(String), costPerBlock: "8u/block", costPerHour: "0.0576", costPerMonth: "41.472" };
    expect(quote).toMatchObject({
      fillable: true,
      cost,
      highest: { costPerBlock: "40u/block", costPerMonth: "207.36" },
      infrastructures: {
        west: {
          bids: [
            { datacenter: "cheap", region: "us-west", cost },
            { datacenter: "sierra", cost: { costPerBlock: "20u/block" } },
          ],
          refusals: [
            { datacenter: "dear", reason: "price", cost: { costPerBlock: "60u/block" } },
            { datacenter: "tide", reason: "region", message: "is in region us-east, the order wants us-west" },
          ],
          cost,
        },
      },
    });
    expect(network.transactions).toEqual([]);
  });

  it("says that nobody would, and what to pay then", async () => {
    const low = { west: { region: "us-west", resources: [{ ...group, maxPrice: "1u/block" }] } };
    const quote = await engine.invoke("getQuote", { infrastructures: { ...low, any: { resources: [group] } } });
    expect(quote).toMatchObject({ fillable: false });
    expect(quote["cost"]).toBeUndefined();
    expect(quote["infrastructures"]).toMatchObject({
      west: { bids: [], refusals: [{ datacenter: "sierra", cost: { costPerBlock: "10u/block" } }, {}, {}] },
      any: { cost: { costPerBlock: "5u/block" } },
    });
  });

  it("is not held up by a datacenter that does not answer, and tells it", async () => {
    const sierra = network.holders.get("sierra");
    if (sierra !== undefined) {
      sierra.up = false;
    }
    expect(await engine.invoke("getQuote", { infrastructures })).toMatchObject({
      infrastructures: {
        west: { refusals: [{ datacenter: "dear" }, { datacenter: "sierra", reason: "unreachable" }, {}] },
      },
    });
  });

  it("asks nobody whom the chain's records rule out", async () => {
    const asked: string[] = [];
    const quoteTerms = network.quoteTerms.bind(network);
    network.quoteTerms = async (terms, datacenter) => {
      asked.push(datacenter);
      return quoteTerms(terms, datacenter);
    };
    const picky = {
      a: { attributes: { tier: "gold" }, resources: [group] },
      b: { deniedDatacenters: ["sierra", "tide"], resources: [group] },
      c: { allowedDatacenters: ["tide"], resources: [group] },
    };
    const quote = await engine.invoke("getQuote", { infrastructures: picky });
    expect(asked.sort()).toEqual(["dear", "sierra", "tide"]);
    expect(quote["infrastructures"]).toMatchObject({
      a: { refusals: [{ reason: "attributes", message: "has no tier=gold" }, { reason: "attributes" }] },
      b: { refusals: [{ reason: "price" }, { reason: "denied" }, { reason: "denied" }] },
      c: { bids: [{ datacenter: "tide" }], refusals: [{ reason: "not-allowed" }, { reason: "not-allowed" }] },
    });
  });

  it("says everything that is wrong with what it is asked", async () => {
    const wrong = { west: { resources: [{ ...group, cpu: "none", colour: "red" }] } };
    await expect(engine.invoke("getQuote", { infrastructures: wrong })).rejects.toThrow(
      /resources\[0\]\.colour: is not a property here[\s\S]*resources\[0\]\.cpu: is no/,
    );
    await expect(engine.invoke("getQuote", { infrastructures: {} })).rejects.toThrow("must name at least one");
    await expect(engine.invoke("getQuote", {})).rejects.toThrow("infrastructures: is missing");
  });
});

describe("getOrders and getLeases", () => {
  it("tell a deployment's order while it is open, and its lease afterwards", async () => {
    network.holders.forEach((holder) => {
      holder.up = false;
    });
    const inputs = await engine.check("Deployment", "shop", { ...shop, skipAwait: true });
    const { id } = await engine.create("Deployment", "shop", inputs);
    const { orders } = await engine.invoke("getOrders", { deploymentId: id });
    expect(orders).toEqual([
      expect.objectContaining({
        id: "dcx1tenant/1/west/1",
        deploymentId: id,
        state: "open",
        region: "us-west",
        highest: expect.objectContaining({ costPerBlock: "40u/block" }),
        offers: [],
        dueHeight: 104,
        replaces: false,
      }),
    ]);
    expect(await engine.invoke("getLeases", { deploymentId: id })).toEqual({ leases: [] });
    network.holders.forEach((holder) => {
      holder.up = true;
    });
    for (let block = 0; block < 5; block++) {
      network.passBlock();
    }
    expect(await engine.invoke("getOrders", {})).toEqual({ orders: [] });
    expect((await engine.invoke("getLeases", {}))["leases"]).toEqual([
      expect.objectContaining({
        id: "dcx1tenant/1/west/1",
        datacenter: "sierra",
        state: "active",
        cost: expect.objectContaining({ costPerBlock: "20u/block" }),
        rentPaid: "0",
        startHeight: expect.any(Number),
      }),
    ]);
    expect(await engine.invoke("getLeases", { tenant: "dcx1somebody", state: "all" })).toEqual({ leases: [] });
  });

  it("take either a deployment or an account, and know their states", async () => {
    const { id } = await made();
    await expect(engine.invoke("getLeases", { deploymentId: id, tenant: "dcx1tenant" })).rejects.toThrow(
      "name one of them, not both",
    );
    await expect(engine.invoke("getOrders", { state: "lost" })).rejects.toThrow(
      "state: must be one of open, matched, closed, all",
    );
    await expect(engine.invoke("getOrders", { deploymentId: `${id}/workloads/web` })).rejects.toThrow(/deployment/);
  });

  it("do not take another chain, or one that is gone, for nothing", async () => {
    network.gone.add("dcx-reset");
    await expect(engine.invoke("getLeases", { deploymentId: "dcx-other/dcx1tenant/1" })).rejects.toThrow(
      "the configured network is dcx-model",
    );
    await expect(engine.invoke("getDeployment", { deploymentId: "dcx-reset/dcx1tenant/1" })).rejects.toThrow(
      "its network was reset",
    );
  });
});

describe("getBalance", () => {
  it("tells the configured account's, or another's", async () => {
    expect(await engine.invoke("getBalance", {})).toEqual({
      address: "dcx1tenant",
      balance: "1000000",
      microUnits: "1000000000000",
      denomination: "udcx",
    });
    expect(await engine.invoke("getBalance", { address: "dcx1nobody" })).toMatchObject({ balance: "0" });
  });
});

describe("getVersion", () => {
  const { workloads = {}, connections = {} } = shop;
  const entries = { workloads, connections };

  it("tells the version that the deployment itself has, from the id or from what its salt is made of", async () => {
    const { id, version } = await made();
    const found = await engine.invoke("getVersion", { ...entries, deploymentId: id });
    expect(found).toEqual({
      version,
      manifestEntries: 2,
      workloads: { web: expect.stringMatching(/^[0-9a-f]{64}$/) },
      connections: { public: expect.stringMatching(/^[0-9a-f]{64}$/) },
    });
    expect((await engine.invoke("getDeployment", { deploymentId: id }))["version"]).toBe(version);
    const [deployment] = network.deployments.values();
    const { clientToken = "", nonce = "" } = deployment ?? {};
    expect(await engine.invoke("getVersion", { ...entries, clientToken, nonce })).toEqual(found);
    const salt = new Secret(await network.manifestSalt(clientToken, nonce));
    expect(await engine.invoke("getVersion", { ...entries, salt })).toEqual(found);
  });

  it("is another for other content, and the same for another spelling", async () => {
    const salt = "ab".repeat(32);
    const version = async (workload: ValueMap): Promise<unknown> => {
      const web = { infrastructure: "west", container: "a:1", ...workload };
      return (await engine.invoke("getVersion", { workloads: { web }, salt }))["version"];
    };
    const plain = await version({});
    expect(await version({ container: { image: "a:1" }, count: 1, command: [] })).toBe(plain);
    expect(await version({ count: 2 })).not.toBe(plain);
  });

  it.each<[string, ValueMap, RegExp]>([
    ["nothing that gives a salt", {}, /name either deploymentId, or clientToken and nonce, or salt/],
    ["a token without its nonce", { clientToken: "ab".repeat(32) }, /both are needed/],
    ["two ways at once", { salt: "ab".repeat(32), deploymentId: "c/t/1" }, /name either/],
    ["a salt that is none", { salt: "short" }, /salt: must be 64 hexadecimal digits/],
    ["a deployment of somebody else", { deploymentId: "dcx-model/dcx1other/1" }, /Only the tenant dcx1other can tell/],
  ])("refuses %s", async (_what, args, message) => {
    await expect(engine.invoke("getVersion", { ...entries, ...args })).rejects.toThrow(message);
  });

  it("says what is wrong with a manifest, and no secret of it", async () => {
    const broken = { ...entries, connections: { public: { to: "none", port: 1, from: { global: true } } } };
    const failure = engine.invoke("getVersion", { ...broken, salt: new Secret("SALTSALT") });
    await expect(failure).rejects.toThrow(/salt: must be/);
    await expect(failure).rejects.not.toThrow(/SALTSALT|HUNTER2/);
    await expect(engine.invoke("getVersion", { ...broken, salt: "ab".repeat(32) })).rejects.toThrow(
      /connections\.public\.to/,
    );
  });
});

test("a function that is called with something unknown says so, and where", async () => {
  const infrastructures = { west: { region: Unknown.instance, resources: [group] } };
  await expect(engine.invoke("getQuote", { infrastructures })).rejects.toThrow(
    "infrastructures.west.region: is not known yet; call getQuoteOutput",
  );
});
