import { ModelNetwork } from "../network/model/model-network";
import { ModelEngine } from "../server/model/engine";
import { Unknown, type ValueMap } from "../wire/value";

/** Where a datacenter gives host names, a global connection has a port of its own besides, for what is not in TLS. */

const raw = "sierra.test:31877";
const capacity = {
  infrastructures: {
    west: { region: "us-west", resources: [{ cpu: 1, memory: "1Gi", disk: "1Gi", count: 4, maxPrice: "20u/block" }] },
  },
};
const web = (tag: string): ValueMap => ({ infrastructure: "west", container: `web:${tag}`, ports: [8080] });
const connections = {
  inner: { to: "web", port: 8080, from: { workload: "web" } },
  public: { to: "web", port: 8080, from: { global: true } },
};

let network: ModelNetwork;
let sierra: ReturnType<ModelNetwork["addDatacenter"]>;
let engine: ModelEngine;

beforeEach(async () => {
  network = new ModelNetwork();
  sierra = network.addDatacenter("sierra", "us-west");
  sierra.url = "https://public-x.sierra.test";
  sierra.raw = raw;
  engine = await ModelEngine.start(network);
});
afterEach(() => engine.close());

const inline = (tag: string): Promise<ValueMap> =>
  engine.check("Deployment", "shop", { ...capacity, workloads: { web: web(tag) }, connections });

test("a Deployment has it by the connection's name, in previews too once it is there, and reads and imports it", async () => {
  const preview = await engine.previewCreate("Deployment", "shop", await inline("1"));
  expect(preview["rawAddresses"]).toBe(Unknown.instance);
  const kept = await engine.create("Deployment", "shop", await inline("1"));
  expect(kept.state).toMatchObject({
    addresses: { public: "https://public-x.sierra.test", inner: "web:8080" },
    rawAddresses: { public: raw },
  });
  const changed = await engine.previewUpdate(kept, await inline("2"));
  expect(changed["rawAddresses"]).toEqual({ public: raw });
  expect((await engine.update(kept, await inline("2"))).state["rawAddresses"]).toEqual({ public: raw });
  expect((await engine.read(kept))?.state["rawAddresses"]).toEqual({ public: raw });
  expect((await engine.import("Deployment", "shop", kept.id))?.state["rawAddresses"]).toEqual({ public: raw });
});

test("it comes and goes with the datacenter's host names, which is no change", async () => {
  sierra.raw = undefined;
  const kept = await engine.create("Deployment", "shop", await inline("1"));
  expect(kept.state).not.toHaveProperty("rawAddresses");
  sierra.raw = raw;
  expect((await engine.diff(kept, kept.inputs)).changes).toBe(false);
  const read = await engine.read(kept);
  expect(read?.state["rawAddresses"]).toEqual({ public: raw });
  sierra.raw = undefined;
  // Another process: this one has just asked.
  engine.close();
  engine = await ModelEngine.start(network);
  expect((await engine.read(read ?? kept))?.state).not.toHaveProperty("rawAddresses");
});

test("so has a Connection; one that is not global has none", async () => {
  const { id } = await engine.create("Deployment", "shop", await engine.check("Deployment", "shop", capacity));
  const made = async (type: string, name: string, inputs: ValueMap) =>
    engine.create(type, name, await engine.check(type, name, { deployment: id, ...inputs }));
  await made("Workload", "web", web("1"));
  const declared = await engine.check("Connection", "public", { deployment: id, ...connections.public });
  const preview = await engine.previewCreate("Connection", "public", declared);
  expect(preview).toMatchObject({ address: Unknown.instance, rawAddress: Unknown.instance });
  const open = await engine.create("Connection", "public", declared);
  expect(open.state).toMatchObject({ address: "https://public-x.sierra.test", rawAddress: raw });
  expect((await engine.read(open))?.state["rawAddress"]).toBe(raw);
  const hosts = { ...connections.public, deployment: id, from: { global: true, hosts: ["shop.test"] } };
  expect(await engine.previewUpdate(open, await engine.check("Connection", "public", hosts))).toMatchObject({
    rawAddress: raw,
  });
  const inner = await engine.check("Connection", "public", { deployment: id, ...connections.inner });
  expect(await engine.previewUpdate(open, inner)).not.toHaveProperty("rawAddress");
  expect((await engine.update(open, inner)).state).not.toHaveProperty("rawAddress");
});
