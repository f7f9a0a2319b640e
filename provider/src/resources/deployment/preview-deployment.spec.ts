import type { WantedImage } from "../../images/tag-resolver";
import { ModelNetwork } from "../../network/model/model-network";
import { ModelEngine } from "../../server/model/engine";
import { Secret, Unknown, type ValueMap } from "../../wire/value";

const digest = `sha256:${"9c1f".repeat(16)}`;
const group = { cpu: "500m", memory: "256Mi", disk: "1Gi", count: 2, maxPrice: "20u/block" };
const infrastructures = { west: { region: "us-west", resources: [group] } };
const web = (tag: string): ValueMap => ({
  infrastructure: "west",
  container: { image: `ghcr.io/acme/web:${tag}`, credentials: { username: "robot", password: new Secret("HUNTER2") } },
  ports: [8080],
});
const connections = {
  public: { to: "web", port: 8080, from: { global: true } },
  inner: { to: "web", port: 8080, from: { workload: "web" } },
};

let network: ModelNetwork;
let sierra: ReturnType<ModelNetwork["addDatacenter"]>;
let engine: ModelEngine;
let asked: WantedImage[];

beforeEach(async () => {
  network = new ModelNetwork();
  sierra = network.addDatacenter("sierra", "us-west");
  asked = [];
  engine = await ModelEngine.start(network, {
    images: {
      resolve: async (images) => {
        asked.push(...images);
        return new Map(images.map(({ image }) => [image, digest]));
      },
    },
  });
});
afterEach(() => engine.close());

async function inline(tag: string): Promise<ValueMap> {
  return engine.check("Deployment", "shop", { infrastructures, workloads: { web: web(tag) }, connections });
}

test("a preview tells what tags stand for, by the credentials of the workload, and nothing depends on it", async () => {
  await engine.previewCreate("Deployment", "shop", await inline("1.4"));
  expect(engine.said()).toContain("ghcr.io/acme/web:1.4 (sha256:9c1f9c1f9c1f…)    1 instance in west");
  expect(asked).toEqual([{ image: "ghcr.io/acme/web:1.4", credentials: { username: "robot", password: "HUNTER2" } }]);
  const kept = await engine.create("Deployment", "shop", await inline("1.4"));
  asked = [];
  expect((await engine.diff(kept, await inline("1.4"))).changes).toBe(false);
  expect(asked).toEqual([]);
  await engine.previewUpdate(kept, await inline("1.5"));
  const said = engine.said();
  expect(said).toContain("ghcr.io/acme/web:1.4 → 1.5 (sha256:9c1f9c1f9c1f…)    rolling, 1 instance, no lease moves");
  expect(said).not.toContain("HUNTER2");
});

test("so does that of a Workload of its own, with the fee of the transaction that it shares", async () => {
  const { id } = await engine.create(
    "Deployment",
    "shop",
    await engine.check("Deployment", "shop", { infrastructures }),
  );
  engine.said();
  const inputs = await engine.check("Workload", "web", { deployment: id, ...web("1.4") });
  await engine.previewCreate("Workload", "web", inputs);
  expect(engine.said()).toBe(
    [
      "ghcr.io/acme/web:1.4 (sha256:9c1f9c1f9c1f…)    1 instance in west",
      "UpdateDeployment, in one transaction with other changes to deployment 1, fee about 0.0021 for all of them",
    ].join("\n"),
  );
});

test("of a creation addresses that follow from the inputs are known, and what a holder says is not", async () => {
  const preview = await engine.previewCreate("Deployment", "shop", await inline("1.4"));
  expect(preview["addresses"]).toEqual({ public: Unknown.instance, inner: "web:8080" });
  expect(preview).toMatchObject({ version: Unknown.instance, leases: Unknown.instance });
});

test("what is not known yet hides no more than it must", async () => {
  const kept = await engine.create("Deployment", "shop", await inline("1.4"));
  engine.said();
  const inputs: ValueMap = {
    ...(await inline("1.4")),
    infrastructures: { west: { ...infrastructures.west, resources: [{ ...group, maxPrice: "30u/block" }] } },
    workloads: { web: { ...web("1.4"), environment: { URL: Unknown.instance } } },
  };
  const preview = await engine.previewUpdate(kept, await engine.check("Deployment", "shop", inputs));
  expect(preview).toMatchObject({ leases: kept.state["leases"] ?? {}, version: Unknown.instance });
  const said = engine.said();
  expect(said).toMatch(/west {3}maximum price .* in place; the lease with datacenter sierra keeps/);
  expect(said).toContain(
    "what runs on it is told once all of its workloads and connections are known; a change of it is a transaction",
  );
});

test("of several leases only those that move are unknown", async () => {
  network.addDatacenter("tide", "us-east");
  network.addDatacenter("tern", "us-east");
  const both = (cpu: string): ValueMap => ({
    infrastructures: { ...infrastructures, east: { region: "us-east", resources: [{ ...group, cpu }] } },
  });
  const kept = await engine.create("Deployment", "two", await engine.check("Deployment", "two", both("1")));
  const preview = await engine.previewUpdate(kept, await engine.check("Deployment", "two", both("2")));
  expect(preview["leases"]).toEqual({
    west: (kept.state["leases"] as ValueMap | undefined)?.["west"],
    east: Unknown.instance,
  });
});

test("a preview tells who would serve what it opens, or why nobody would", async () => {
  network.addDatacenter("tide", "us-east", 50n * 10n ** 18n);
  const both = {
    infrastructures: {
      ...infrastructures,
      east: { region: "us-east", resources: [group] },
      north: { region: "eu-north", resources: [group] },
    },
  };
  await engine.previewCreate("Deployment", "two", await engine.check("Deployment", "two", both));
  const said = engine.said();
  expect(said).toMatch(/opens an order\n +sierra would serve it now for [\d.]+\/h\n/);
  expect(said).toMatch(/\n +nobody would serve it now: tide: asks [\d.]+\/h, your maximum is [\d.]+\/h\n/);
  expect(said).toMatch(/\n +nobody would serve it now: no datacenter in region eu-north is one that it allows\n/);
});

test("what moves is offered anew, what stays is not, and a datacenter that is down holds no preview up", async () => {
  const kept = await engine.create("Deployment", "shop", await inline("1.4"));
  engine.said();
  await engine.previewUpdate(kept, await inline("1.5"));
  expect(engine.said()).not.toContain("would serve");
  sierra.up = false;
  const larger = { west: { ...infrastructures.west, resources: [{ ...group, cpu: "1" }] } };
  const inputs: ValueMap = { ...(await inline("1.4")), infrastructures: larger };
  await engine.previewUpdate(kept, await engine.check("Deployment", "shop", inputs));
  expect(engine.said()).toContain("nobody would serve it now: sierra: does not answer");
});

test("of many deployments the first are offered: a preview asks no datacenter without end", async () => {
  const inputs = await engine.check("Deployment", "many", { infrastructures });
  for (let number = 0; number < 80; number++) {
    await engine.previewCreate("Deployment", `many-${number}`, inputs);
  }
  expect(engine.said().match(/would serve it now/g)).toHaveLength(64);
});
