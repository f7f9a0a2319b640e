import { ModelNetwork } from "../network/model/model-network";
import type { ActualDeployment, Terms } from "../network/snapshot";
import type { Desired } from "./plan";
import { planCreation, planUpdate } from "./plan-deployment";
import { renderPlan, renderReport } from "./render";
import { type ReportContext, reportPlan } from "./report";

const RATE = 10n ** 18n;
const signal = new AbortController().signal;
const key = { tenant: "dcx1tenant", sequence: 1n };

const terms = (change: Partial<Terms> = {}, group: Partial<Terms["resources"][number]> = {}): Terms => ({
  region: "us-west",
  attributes: {},
  allowedDatacenters: [],
  deniedDatacenters: [],
  persist: true,
  resources: [
    {
      cpu: 500n,
      memory: 2n ** 28n,
      disk: 2n ** 30n,
      gpu: undefined,
      count: 2,
      price: 20n * RATE,
      collateral: 0n,
      ...group,
    },
  ],
  ...change,
});
const wanted = (infrastructures: Desired["infrastructures"], more: Partial<Desired> = {}): Desired => ({
  infrastructures,
  waitDuration: 3n,
  managers: undefined,
  manifest: undefined,
  ...more,
});

async function world() {
  const network = new ModelNetwork();
  network.addDatacenter("sierra", "us-west", 10n * RATE);
  network.addDatacenter("tide", "us-east", 5n * RATE);
  const birth = { clientToken: "t", nonce: "n", emptyVersion: "00" };
  const plan = planCreation(wanted({ west: terms(), east: terms({ region: "us-east" }, { count: 1 }) }), birth);
  const [step] = plan.steps;
  if (step?.kind === "transaction") {
    await network.submit(step.transaction, signal);
  }
  for (let block = 0; block < 5; block++) {
    network.passBlock();
  }
  const context = async (): Promise<ReportContext & { readonly deployment: ActualDeployment }> => {
    const { deployment } = await network.snapshot(key);
    if (deployment === undefined) {
      throw new Error("it was created");
    }
    return {
      identity: await network.identify(),
      parameters: await network.parameters(),
      fees: [2100n],
      deployment,
      name: (address) => address,
    };
  };
  const update = async (desired: Desired) =>
    planUpdate(desired, { ...(await network.snapshot(key)), deployment: (await context()).deployment });
  return { network, context, update, creation: plan };
}

test("a creation: what opens, the fee, and the most that it costs", async () => {
  const { network, creation } = await world();
  const context = { identity: await network.identify(), parameters: await network.parameters(), fees: [12345n] };
  expect(renderPlan(creation, context)).toBe(
    [
      "exchange dcx-model · tenant dcx1tenant · a new deployment",
      "west   2 × 0.5 cpu, 256Mi, 1Gi disk at most 0.144/h   opens an order",
      "east   1 × 0.5 cpu, 256Mi, 1Gi disk at most 0.144/h   opens an order",
      "1 transaction: SubmitDeployment (fee about 0.012345); 2 orders open    cost at most 311.04 a month (60u a block)",
    ].join("\n"),
  );
});

test("a change in place, and one that moves a lease", async () => {
  const { context, update } = await world();
  const plan = await update(
    wanted({
      west: terms({}, { price: 30n * RATE }),
      east: terms({ region: "us-east" }, { count: 1, memory: 2n ** 29n }),
    }),
  );
  expect(renderPlan(plan, await context())).toBe(
    [
      "exchange dcx-model · tenant dcx1tenant · deployment 1, revision 1",
      "east   memory 256Mi → 512Mi            new order; the lease with datacenter tide runs until its successor serves",
      "west   maximum price 0.144 → 0.216/h   in place; the lease with datacenter sierra keeps 0.144/h",
      "1 transaction: UpdateDeployment (fee about 0.0021); 1 order opens, 1 lease moves    cost 129.60 → at most 207.36 a month (25u → 40u a block)",
    ].join("\n"),
  );
  expect(reportPlan(plan, await context())).toMatchObject({
    format: 1,
    deployment: { id: "dcx-model/dcx1tenant/1", sequence: "1", revision: "1" },
    infrastructures: [
      { name: "east", outcome: "replaces-lease", opensOrder: true, closesOrder: false, lease: { outcome: "moves" } },
      { name: "west", outcome: "in-place", opensOrder: false, lease: { name: "sierra", outcome: "stays" } },
    ],
    transactions: [{ kind: "UpdateDeployment", fee: "0.0021" }],
    orders: { open: 1, close: 0 },
    leases: { move: 1, close: 0 },
    cost: { now: { perBlock: "25u/block", perMonth: "129.6" }, after: { perMonth: "207.36" } },
  });
});

test("what is taken away closes, also a successor that does not serve yet", async () => {
  const { network, context, update } = await world();
  network.addDatacenter("sable", "us-west", 12n * RATE);
  const moved = await update(
    wanted({ west: terms({}, { cpu: 1000n }), east: terms({ region: "us-east" }, { count: 1 }) }),
  );
  const [step] = moved.steps;
  if (step?.kind === "transaction") {
    await network.submit(step.transaction, signal);
  }
  for (let block = 0; block < 5; block++) {
    network.passBlock();
  }
  const plan = await update(wanted({ west: terms() }));
  const report = reportPlan(plan, await context());
  expect(report).toMatchObject({
    infrastructures: [
      { name: "east", outcome: "closes", lease: { outcome: "closes" }, successorCloses: false },
      { name: "west", outcome: "in-place", lease: { name: "sierra", outcome: "stays" }, successorCloses: true },
    ],
    leases: { move: 0, close: 2 },
  });
  const text = renderReport(report);
  expect(text).toContain("east   removed       closes; the lease with datacenter tide ends");
  expect(text).toContain(
    "in place; the lease with datacenter sierra keeps 0.144/h; ends the lease with sable that was to replace it",
  );
});

test("what belongs to the deployment as a whole", async () => {
  const { context, update } = await world();
  const manager = (address: string, maxCount = 0) => ({
    address,
    maxRate: undefined,
    maxCount,
    regions: [],
    datacenters: [],
    mayChangeVersion: false,
    endHeight: 0n,
  });
  const same = { west: terms(), east: terms({ region: "us-east" }, { count: 1 }) };
  const plan = await update(wanted(same, { waitDuration: 10n, managers: [manager("dcx1other")] }));
  const text = renderPlan(plan, { ...(await context()), version: { before: "ab".repeat(32), after: "cd".repeat(32) } });
  expect(text).toContain("orders wait 3 → 10 blocks\nmanagers +dcx1other\nversion abababababab… → cdcdcdcdcdcd…\n");
  expect(text).toContain("cost 129.60 a month (25u a block), as now");
});

test("a fee that could not be tried, and what could not be told", async () => {
  const { creation } = await world();
  const text = renderPlan(creation, {
    identity: undefined,
    parameters: await new ModelNetwork().parameters(),
    fees: [undefined],
    notes: ["what runs on it is told once all of its workloads and connections are known"],
  });
  expect(text).toContain("the embedded network, which the first create starts · a new deployment");
  expect(text).toContain("1 transaction: SubmitDeployment; 2 orders open");
  expect(text.split("\n").at(-1)).toBe("what runs on it is told once all of its workloads and connections are known");
});
