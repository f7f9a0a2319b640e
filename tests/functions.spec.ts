import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { stringify } from "yaml";
import { z } from "zod";
import { expectNothingLeft } from "./support/checks";
import { thin } from "./support/programs";
import { World } from "./support/world";

jest.setTimeout(300_000);

const Cost = z.object({
  rate: z.string(),
  costPerBlock: z.string(),
  costPerHour: z.string(),
  costPerMonth: z.string(),
});
const Quote = z.looseObject({
  bids: z.array(z.looseObject({ region: z.string(), cost: Cost })),
  refusals: z.array(z.looseObject({ region: z.string(), reason: z.string() })),
});
const Outputs = z.looseObject({
  datacenters: z.object({ datacenters: z.array(z.looseObject({ address: z.string(), region: z.string() })) }),
  quote: z.looseObject({ infrastructures: z.object({ main: Quote, far: Quote }), fillable: z.boolean() }),
  deployment: z.looseObject({ version: z.string(), revision: z.string(), manifestEntries: z.number() }),
  orders: z.object({ orders: z.array(z.unknown()) }),
  matched: z.object({ orders: z.array(z.looseObject({ id: z.string(), state: z.string() })) }),
  leases: z.object({ leases: z.array(z.looseObject({ datacenter: z.string(), state: z.string(), cost: Cost })) }),
  balance: z.looseObject({ address: z.string(), microUnits: z.string() }),
  version: z.looseObject({ version: z.string(), manifestEntries: z.number() }),
  id: z.string(),
});

const invoke = (name: string, args: unknown) => ({ "fn::invoke": { function: `dcx:${name}`, arguments: args } });
const { resources } = thin();
const Properties = z.looseObject({ hello: z.looseObject({ properties: z.record(z.string(), z.unknown()) }) });
const { infrastructures, workloads, connections } = Properties.parse(resources).hello.properties;
const deploymentId = "${hello.deploymentId}";

let world: World;

beforeAll(async () => {
  // Said to the dcx command as the programs say it, also where CI is set.
  world = World.create({ environment: { DCX_NETWORK: "embedded" } });
  await world.startNetwork();
});
afterAll(async () => world.close());

test("every function answers a program, and dcx plan tells what the engine would", async () => {
  const main = z.record(z.string(), z.unknown()).parse(infrastructures)["main"];
  const far = { ...z.record(z.string(), z.unknown()).parse(main), region: "eu-north" };
  const stack = await world.stack("functions", {
    variables: {
      datacenters: invoke("getDatacenters", { region: "us-east" }),
      quote: invoke("getQuote", { infrastructures: { main, far } }),
      balance: invoke("getBalance", {}),
      deployment: invoke("getDeployment", { deploymentId }),
      orders: invoke("getOrders", { deploymentId }),
      matched: invoke("getOrders", { deploymentId, state: "matched" }),
      leases: invoke("getLeases", { deploymentId }),
      version: invoke("getVersion", { deploymentId, workloads, connections }),
    },
    resources,
    outputs: {
      datacenters: "${datacenters}",
      quote: "${quote}",
      deployment: "${deployment}",
      orders: "${orders}",
      matched: "${matched}",
      leases: "${leases}",
      balance: "${balance}",
      version: "${version}",
      id: deploymentId,
    },
  });
  await stack.up();
  const told = Outputs.parse(await stack.outputs());
  const [east] = told.datacenters.datacenters;
  expect(told.datacenters.datacenters).toHaveLength(1);
  expect(told.quote.fillable).toBe(false);
  expect(told.quote.infrastructures.main).toMatchObject({
    bids: [{ datacenter: east?.address, region: "us-east" }],
    refusals: [{ region: "us-west", reason: "region" }],
  });
  expect(told.quote.infrastructures.far.bids).toEqual([]);
  expect(told.orders.orders).toEqual([]);
  expect(told.matched.orders).toMatchObject([{ id: expect.stringMatching(/\/main\/1$/), state: "matched" }]);
  expect(told.leases.leases).toMatchObject([{ datacenter: east?.address, state: "active" }]);
  // The quote was asked for before: it is what the lease costs.
  expect(told.leases.leases[0]?.cost).toEqual(told.quote.infrastructures.main.bids[0]?.cost);
  expect(told.version).toMatchObject({ version: told.deployment.version, manifestEntries: 2 });
  expect(BigInt(told.balance.microUnits)).toBeGreaterThan(0n);
  expect((await stack.preview()).steps).toEqual([]);

  const file = join(world.home, "hello.yaml");
  const plan = async (image: string, ...more: readonly string[]): Promise<{ code: number; text: string }> => {
    const api = {
      ...z.record(z.string(), z.record(z.string(), z.unknown())).parse(workloads)["api"],
      container: image,
    };
    writeFileSync(file, stringify({ infrastructures, workloads: { api }, connections }));
    try {
      const text = await world.dcx("plan", file, "--deployment", told.id, "--detailed-exitcode", ...more);
      return { code: 0, text };
    } catch (error) {
      const failed = z.object({ code: z.number(), stdout: z.string(), stderr: z.string() }).parse(error);
      return { code: failed.code, text: failed.stdout + failed.stderr };
    }
  };
  expect(await plan("dcx.example/two-tier-api:1.0")).toEqual({
    code: 0,
    text: expect.stringContaining("no changes: it is as the file says"),
  });
  const changed = await plan("dcx.example/two-tier-api:1.1");
  expect(changed).toEqual({ code: 2, text: expect.stringContaining(" ~ workloads.api.container\n") });
  expect(changed.text).toMatch(/1\.0 → 1\.1 +rolling, 1 instance, no lease moves/);
  expect(changed.text).toMatch(/1 transaction: UpdateDeployment \(fee about 0\.\d+\)/);
  const json = await plan("dcx.example/two-tier-api:1.1", "--json");
  expect(JSON.parse(json.text)).toMatchObject({
    format: 1,
    deployment: { id: told.id },
    changes: [{ path: "workloads.api.container", kind: "update" }],
    transactions: [{ kind: "UpdateDeployment" }],
    leases: { move: 0, close: 0 },
  });
  expect(await plan("no image")).toEqual({ code: 1, text: expect.stringContaining("hello.yaml:") });

  await stack.destroy();
  await expectNothingLeft(world);
});
