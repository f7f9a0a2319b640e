import { ModelNetwork } from "../network/model/model-network";
import { renderReport } from "../plan/render";
import { Session } from "../resources/session";
import { ModelEngine } from "../server/model/engine";
import { Secret, type ValueMap } from "../wire/value";
import { changesAnything, planOn } from "./plan-on";

const signal = new AbortController().signal;
const settings = { namespace: "", timeout: 10, skipAwait: false };
const shop = (
  change: { readonly count?: number; readonly price?: string; readonly image?: string } = {},
): ValueMap => ({
  infrastructures: {
    west: {
      region: "us-west",
      resources: [{ cpu: "500m", memory: "256Mi", disk: "1Gi", count: 2, maxPrice: change.price ?? "20u/block" }],
    },
  },
  workloads: {
    web: {
      infrastructure: "west",
      container: change.image ?? "ghcr.io/acme/web:1.4",
      ports: [8080],
      environment: { KEY: new Secret("HUNTER2") },
      ...(change.count === undefined ? {} : { count: change.count }),
    },
  },
  connections: { public: { to: "web", port: 8080, from: { global: true } } },
});

async function world() {
  const network = new ModelNetwork();
  network.addDatacenter("sierra", "us-west", 10n ** 18n);
  const engine = await ModelEngine.start(network);
  const { id } = await engine.create("Deployment", "shop", await engine.check("Deployment", "shop", shop()));
  engine.close();
  const sent = network.transactions.length;
  return { network, id, session: new Session(network, settings), sent };
}

test("a new deployment", async () => {
  const network = new ModelNetwork();
  const report = await planOn(new Session(network, settings), shop(), undefined, signal);
  expect(report).toMatchObject({
    format: 1,
    network: { kind: "exchange", chain: "dcx-model", tenant: "dcx1tenant" },
    deployment: null,
    infrastructures: [{ name: "west", outcome: "opens", opensOrder: true }],
    entries: [
      { kind: "workload", name: "web", action: "add", image: "ghcr.io/acme/web:1.4" },
      { kind: "connection", name: "public", action: "add" },
    ],
    transactions: [{ kind: "SubmitDeployment", fee: "0.0021" }],
    orders: { open: 1, close: 0 },
    version: { before: null, after: null },
  });
  expect(changesAnything(report)).toBe(true);
  expect(network.transactions).toEqual([]);
});

test("nothing changes where the file says what is there, however it spells it", async () => {
  const { session, id, network, sent } = await world();
  const report = await planOn(session, shop({ count: 1, price: "0.00002/block" }), id, signal);
  expect(report).toMatchObject({ changes: [], transactions: [], infrastructures: [], entries: [], notes: [] });
  expect(report.version.before).toBe(report.version.after);
  expect(changesAnything(report)).toBe(false);
  expect(network.transactions).toHaveLength(sent);
});

test("what changes is told by path, with what becomes of it, and no secret", async () => {
  const { session, id, network, sent } = await world();
  const report = await planOn(
    session,
    shop({ count: 2, price: "30u/block", image: "ghcr.io/acme/web:1.5" }),
    id,
    signal,
  );
  expect(report.changes).toEqual([
    { path: "infrastructures.west.resources[0].maxPrice", kind: "update" },
    { path: "workloads.web.container", kind: "update" },
    { path: "workloads.web.count", kind: "add" },
  ]);
  expect(report).toMatchObject({
    deployment: { id, revision: "1" },
    infrastructures: [{ name: "west", outcome: "in-place", lease: { datacenter: "sierra", outcome: "stays" } }],
    entries: [{ name: "web", action: "change", text: expect.stringContaining("1.4 → 1.5, count 1 → 2") }],
    transactions: [{ kind: "UpdateDeployment" }],
  });
  expect(report.version.after).not.toBe(report.version.before);
  expect(JSON.stringify(report) + renderReport(report)).not.toContain("HUNTER2");
  expect(network.transactions).toHaveLength(sent);
});

test("without the tenant's key it goes as far as the chain tells, and says so", async () => {
  const { network, id } = await world();
  network.identify = async () => ({ network: "exchange", chain: "dcx-model", tenant: "" });
  const report = await planOn(new Session(network, settings), shop({ price: "30u/block" }), id, signal);
  expect(report).toMatchObject({
    changes: [{ path: "infrastructures.west.resources[0].maxPrice" }],
    entries: [],
    version: { after: null },
    notes: ["what runs is not compared: that needs the key of its tenant dcx1tenant, and no signer is configured"],
  });
});

test("what can't be read of what runs is said", async () => {
  const { session, id, network } = await world();
  const sierra = network.holders.get("sierra");
  if (sierra !== undefined) {
    sierra.up = false;
  }
  const report = await planOn(session, shop({ image: "ghcr.io/acme/web:1.5" }), id, signal);
  expect(report.notes[0]).toMatch(/could not be read, so all that will run is listed as new: sierra does not answer/);
});

test.each<[string, ValueMap, RegExp]>([
  ["too dear", { ...shop(), maxCostPerMonth: "1" }, /maxCostPerMonth: is 1, and these infrastructures cost up to/],
  ["a workload without a place", { ...shop(), infrastructures: {} }, /must name at least one/],
])("what can't be is refused: %s", async (_what, inputs, message) => {
  await expect(planOn(new Session(new ModelNetwork(), settings), inputs, undefined, signal)).rejects.toThrow(message);
});

test("another chain, and one that is gone, are no reason to plan a new deployment", async () => {
  const { session, network } = await world();
  await expect(planOn(session, shop(), "dcx-other/dcx1tenant/1", signal)).rejects.toThrow(/is on chain dcx-other/);
  network.gone.add("dcx-reset");
  await expect(planOn(session, shop(), "dcx-reset/dcx1tenant/1", signal)).rejects.toThrow(/its network was reset/);
});
