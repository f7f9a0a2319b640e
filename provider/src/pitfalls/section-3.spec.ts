import { status } from "@grpc/grpc-js";
import { CheckRequest, DeleteRequest, PropertyDiff, ReadRequest } from "@pulumi/pulumi/proto/provider_pb";
import fc from "fast-check";
import { NetworkError } from "../network/driver";
import { ModelNetwork } from "../network/model/model-network";
import { resourcesOn } from "../resources/index";
import { activeDeployments, kinds, theDeployment, twoRegions } from "../testing/model-world";
import { Plugin } from "../testing/plugin";
import { capacity, connection, deployment, inline, type Program, separate, workload } from "../testing/program";
import { Stack } from "../testing/stack";
import { decode, encode } from "../wire/codec";
import { Secret, Unknown, type Value, type ValueMap } from "../wire/value";

const small = { workloads: 2, connections: 2 };
const settings = { namespace: "", timeout: 10, skipAwait: false };
const urn = (type: string, name: string): string => `urn:pulumi:dev::project::dcx:index:${type}::${name}`;

async function standing(program: Program): Promise<{ readonly network: ModelNetwork; readonly stack: Stack }> {
  const network = twoRegions();
  const stack = new Stack(network);
  expect((await stack.up(program)).failures).toEqual({});
  return { network, stack };
}

/** A deployment with one workload in it, whose fields a test varies. */
function one(fields: ValueMap, more: ValueMap = {}): Program {
  return {
    shop: deployment({
      ...capacity(4),
      workloads: { w1: { infrastructure: "west", container: "web:1", ports: [8080], ...fields } },
      connections: {},
      ...more,
    }),
  };
}

let plugin: Plugin | undefined;
afterEach(() => {
  plugin?.close();
  plugin = undefined;
});

it("pitfall 3.1: what a preview foretells is what the update answers, and it replaces nothing", async () => {
  const program = separate(small);
  const { stack } = await standing(program);
  const changed = separate({ ...small, image: "web:2" });
  const preview = await stack.preview(changed);
  const up = await stack.up(changed);
  const plain = (steps: typeof up.steps) =>
    [...steps]
      .map(({ name, operation, diffs }) => ({ name, operation, diffs }))
      .sort((a, b) => (a.name < b.name ? -1 : 1));
  expect(plain(preview.steps)).toEqual(plain(up.steps));
  for (const { name, outputs } of preview.steps) {
    const then = up.steps.find((step) => step.name === name)?.outputs ?? {};
    for (const [property, foretold] of Object.entries(outputs)) {
      // Only what a new declaration draws anew: the nonce of its stamp, which programs never see.
      if (!property.startsWith("__")) {
        expect({ name, property, value: foretold }).toEqual({ name, property, value: then[property] });
      }
    }
  }
});

it("pitfall 3.2: no change of an input replaces anything but deployment and name", async () => {
  const program = separate(small);
  const { stack } = await standing(program);
  const changes: Program = {
    ...program,
    shop: deployment({ ...capacity(3), maxCostPerMonth: "100000" }),
    w1: workload("shop", {
      infrastructure: "east",
      container: "other:2",
      ports: [8080, 9090],
      count: 2,
      arguments: ["x"],
    }),
    w2: workload("shop", { infrastructure: "east", container: "web:1", ports: [8080], environment: { A: "1" } }),
    c1: connection("shop", { to: "w1", port: 8080 }),
  };
  expect(new Set((await stack.preview(changes)).steps.map(({ operation }) => operation))).toEqual(new Set(["update"]));
  const renamed = {
    ...program,
    w1: workload("shop", { name: "renamed", infrastructure: "west", container: "web:1", ports: [8080] }),
  };
  const { steps } = await stack.preview(renamed);
  expect(steps.find(({ name }) => name === "w1")).toMatchObject({ operation: "replace" });
  expect(steps.find(({ name }) => name === "shop")).toBeUndefined();
});

it("pitfall 3.3: a difference names the path of what changed, and which path replaces", async () => {
  const base = { infrastructure: "west", container: "web:1", ports: [8080] };
  const level = (value: string): ValueMap => ({ ...base, environment: { "LOG.LEVEL": value } });
  const program = separate(small);
  const { stack } = await standing({ ...program, w2: workload("shop", level("info")) });
  const { steps } = await stack.preview({
    ...program,
    w1: workload("shop", { ...base, name: "renamed" }),
    w2: workload("shop", level("debug")),
  });
  const diffs = Object.fromEntries(steps.map(({ name, diffs: found }) => [name, found]));
  const { UPDATE, UPDATE_REPLACE } = PropertyDiff.Kind;
  expect(diffs["w1"]).toEqual({ name: String(UPDATE_REPLACE) });
  expect(diffs["w2"]).toEqual({ 'environment["LOG.LEVEL"]': String(UPDATE) });
});

const spellings: Readonly<Record<string, readonly Value[]>> = {
  memory: ["64Mi", 67108864, "67108864", "0.0625Gi", "65536Ki"],
  cpu: ["100m", 0.1, "0.1"],
};

it("pitfall 3.4: no other spelling of the same values differs", async () => {
  const program = (memory: Value, cpu: Value, ports: Value, container: Value, environment: Value): Program => ({
    shop: deployment({
      infrastructures: {
        west: { region: "us-west", resources: [{ cpu, memory, disk: memory, maxPrice: "20u/block" }] },
      },
      workloads: { w1: { infrastructure: "west", container, ports, environment, count: "1" } },
      connections: {},
    }),
  });
  const { stack } = await standing(program("64Mi", "100m", [8080, 9090], "web:1", { A: "1", B: "true" }));
  await fc.assert(
    fc.asyncProperty(
      fc.constantFrom(...(spellings["memory"] ?? [])),
      fc.constantFrom(...(spellings["cpu"] ?? [])),
      fc.constantFrom<Value>([8080, 9090], [9090, 8080], ["8080", "9090"]),
      fc.constantFrom<Value>("web:1", { image: "web:1" }),
      fc.constantFrom<Value>({ A: "1", B: "true" }, { B: true, A: 1 }),
      async (...spelled) => expect((await stack.preview(program(...spelled))).steps).toEqual([]),
    ),
    { numRuns: 15 },
  );
});

it("pitfall 3.5: what can't be reached is an error and stays in the state", async () => {
  const { network, stack } = await standing(separate(small));
  const snapshot = network.snapshot.bind(network);
  network.snapshot = async () => {
    throw new NetworkError("unreachable", "no node answers");
  };
  const { failures } = await stack.refresh();
  expect(Object.keys(failures).sort()).toEqual(["c1", "c2", "shop", "w1", "w2"]);
  expect(failures["shop"]).toContain(`${status.UNAVAILABLE} UNAVAILABLE`);
  expect(stack.kept.size).toBe(5);
  network.snapshot = snapshot;
  // Nor does a holder that is away say that something is gone.
  for (const holder of network.holders.values()) {
    holder.up = false;
  }
  await stack.refresh();
  expect(stack.kept.size).toBe(5);
});

it("pitfall 3.6: what is gone is read as gone and deleted without a transaction", async () => {
  const { network, stack } = await standing(separate(small));
  network.change(theDeployment(network), (now) => ({ ...now, active: false, infrastructures: {} }));
  const sent = network.transactions.length;
  plugin = await Plugin.on(() => resourcesOn(network, settings));
  for (const [name, kept] of stack.kept) {
    const request = new DeleteRequest();
    request.setUrn(urn(kept.declared.type, name));
    request.setId(kept.id);
    request.setProperties(encode(kept.outputs));
    await plugin.call(plugin.client.delete, request);
  }
  expect(network.transactions).toHaveLength(sent);
  expect((await stack.refresh()).failures).toEqual({});
  expect(stack.kept.size).toBe(0);
});

it("pitfall 3.7: Read returns what is there; what moves by itself is no change", async () => {
  const { network, stack } = await standing(inline(small));
  // Blocks pass, rent is paid: neither is an output.
  for (let block = 0; block < 50; block++) {
    network.passBlock();
  }
  const before = stack.kept.get("shop");
  await stack.refresh();
  expect(stack.kept.get("shop")?.outputs).toEqual(before?.outputs);
  // Somebody else raises a price.
  network.change(theDeployment(network), (now) => {
    const west = now.infrastructures["west"];
    if (west === undefined) {
      return now;
    }
    const resources = west.terms.resources.map((group) => ({ ...group, price: group.price * 2n }));
    return {
      ...now,
      infrastructures: { ...now.infrastructures, west: { ...west, terms: { ...west.terms, resources } } },
    };
  });
  await stack.refresh();
  expect(stack.kept.get("shop")?.inputs).not.toEqual(before?.inputs);
  expect((await stack.preview(inline(small))).steps.map(({ diffs }) => Object.keys(diffs))).toEqual([
    ["infrastructures.west.resources[0].maxPrice"],
  ]);
});

it.each([
  ["separate", separate(small)],
  ["inline", inline(small)],
])("pitfall 3.8: what is imported without state differs from the program in nothing: %s", async (_form, program) => {
  const { network, stack } = await standing(program);
  const other = new Stack(network, { name: "dev" });
  plugin = await Plugin.on(() => resourcesOn(network, settings));
  for (const [name, kept] of stack.kept) {
    const request = new ReadRequest();
    request.setUrn(urn(kept.declared.type, name));
    request.setId(kept.id);
    const read = await plugin.call(plugin.client.read, request);
    const inputs = decode(read.getInputs() ?? encode({}));
    // What is read is accepted as it is.
    const check = new CheckRequest();
    check.setUrn(urn(kept.declared.type, name));
    check.setName(name);
    check.setNews(encode(inputs));
    const checked = await plugin.call(plugin.client.check, check);
    expect(checked.getFailuresList()).toEqual([]);
    other.kept.set(name, {
      declared: kept.declared,
      id: read.getId(),
      inputs: decode(checked.getInputs() ?? encode({})),
      outputs: decode(read.getProperties() ?? encode({})),
      initErrors: [],
    });
  }
  expect((await other.preview(program)).steps).toEqual([]);
});

it("pitfall 3.9: a secret stays one through create, read, import and errors", async () => {
  const planted = new Secret("planted");
  const { network, stack } = await standing(one({ environment: { KEY: planted } }));
  const shown = (value: unknown): string => JSON.stringify(value);
  await stack.refresh();
  expect(shown([...stack.kept])).not.toContain("planted");
  expect(shown([...stack.kept])).toContain("[secret]");
  plugin = await Plugin.on(() => resourcesOn(network, settings));
  const request = new ReadRequest();
  request.setUrn(urn("Deployment", "shop"));
  request.setId(stack.kept.get("shop")?.id ?? "");
  expect(shown(decode((await plugin.call(plugin.client.read, request)).getInputs() ?? encode({})))).not.toContain(
    "planted",
  );
  for (const holder of network.holders.values()) {
    holder.up = false;
  }
  const { failures, said } = await stack.up(one({ environment: { KEY: planted }, container: "web:2" }));
  expect(failures["shop"]).toBeDefined();
  expect(`${shown(failures)}${said}`).not.toContain("planted");
});

it("pitfall 3.10: a wait ends at its time saying what is missing, may be left out, and says why it resumes", async () => {
  const network = new ModelNetwork();
  const stack = new Stack(network);
  const program = (timeout: number, more: ValueMap = {}): Program => ({
    shop: deployment({ ...capacity(2), ...more }, { timeout }),
  });
  const began = Date.now();
  const { failures, said } = await stack.up(program(1));
  expect(Date.now() - began).toBeLessThan(10_000);
  expect(failures["shop"]).toMatch(/no lease for infrastructure "east" after 1s/);
  expect(said).toMatch(/none of 0 datacenters has bid/);
  // The next one resumes, and a preview of it says what for.
  expect((await stack.preview(program(1))).said).toMatch(/no transaction; waits until all of it is done/);
  const patient = new Stack(network, { name: "patient" });
  expect((await patient.up(program(1, { skipAwait: true }))).failures).toEqual({});
});

it("pitfall 3.11: a cancelled create keeps what it made, and the next up goes on from there", async () => {
  const network = new ModelNetwork();
  const stack = new Stack(network);
  network.waitForHeight = async (_height, signal) => {
    stack.plugin?.provider.cancellation.abort("cancelled");
    signal.throwIfAborted();
    return network.height;
  };
  const { failures } = await stack.up(inline(small));
  expect(failures["shop"]).toMatch(/cancelled; `pulumi up` goes on from here/);
  expect(stack.kept.get("shop")?.id).toBe("dcx-model/dcx1tenant/1");
  network.waitForHeight = ModelNetwork.prototype.waitForHeight;
  network.addDatacenter("sierra", "us-west");
  network.addDatacenter("tide", "us-east");
  expect((await stack.up(inline(small))).failures).toEqual({});
  expect(kinds(network)).toEqual(["submit-deployment"]);
});

it("pitfall 3.12: whatever fails after the transaction, the id is recorded", async () => {
  const network = twoRegions();
  const stack = new Stack(network, { settings: { timeout: 1 } });
  const submit = network.submit.bind(network);
  const { snapshot, status: ask } = network;
  network.submit = async (...args) => {
    const result = await submit(...args);
    // From now on nobody answers anything.
    network.snapshot = network.status = async () => {
      throw new NetworkError("unreachable", "no node answers");
    };
    return result;
  };
  const { failures } = await stack.up(inline(small));
  expect(failures["shop"]).toContain("no node answers");
  expect(stack.kept.get("shop")?.id).toBe("dcx-model/dcx1tenant/1");
  Object.assign(network, { snapshot, status: ask, submit });
  expect((await stack.up(inline(small))).failures).toEqual({});
  expect((await stack.destroy()).failures).toEqual({});
  expect(activeDeployments(network)).toEqual([]);
});

it("pitfall 3.13: the delete of what was replaced leaves its successor alone", async () => {
  const { network, stack } = await standing(separate(small));
  const { failures } = await stack.up(separate(small), { replace: ["shop", "w1"] });
  expect(failures).toEqual({});
  expect(theDeployment(network).manifestEntries).toBe(4);
  expect((await stack.preview(separate(small))).steps).toEqual([]);
});

it("pitfall 3.14: an error names the deployment or the entry that it is about, and what to do", async () => {
  const { network, stack } = await standing(separate(small));
  const program = separate(small);
  const big = workload("shop", { infrastructure: "west", container: "web:1", compute: { memory: "64Gi" } });
  expect((await stack.up({ ...program, big })).failures["big"]).toContain("workloads/big does not fit: workloads.big");
  const elsewhere = workload("shop", { infrastructure: "north", container: "web:1" });
  expect((await stack.up({ ...program, elsewhere })).failures["elsewhere"]).toMatch(
    /no infrastructure "north"; it has east, west/,
  );
  const lost = connection("shop", { to: "w1", port: 1 });
  expect((await stack.up({ ...program, lost })).failures["lost"]).toMatch(
    /1 is not a port of workload "w1"; it has 8080/,
  );
  network.change(theDeployment(network), (now) => ({ ...now, revision: now.revision + 1n }));
  network.beforeExecution = () => {
    throw new NetworkError("refused", "transaction ABC was refused (code 5): out of gas");
  };
  expect((await stack.up(separate({ ...small, image: "web:2" }))).failures["w1"]).toContain("transaction ABC");
});

it("pitfall 3.15: without a bid nothing is forgotten: each retry goes on with the same deployment, a destroy ends it", async () => {
  const network = new ModelNetwork();
  const stack = new Stack(network, { settings: { timeout: 1 } });
  for (let attempt = 0; attempt < 3; attempt++) {
    expect((await stack.up(inline(small))).failures["shop"]).toMatch(/no lease for infrastructure/);
  }
  expect(network.deployments.size).toBe(1);
  expect(kinds(network)).toEqual(["submit-deployment"]);
  expect((await stack.destroy()).failures).toEqual({});
  expect(activeDeployments(network)).toEqual([]);
  // A datacenter that drops a workload after an update is named, with what it says.
  const other = twoRegions();
  const running = new Stack(other, { settings: { timeout: 1 } });
  expect((await running.up(one({}))).failures).toEqual({});
  for (const holder of other.holders.values()) {
    holder.broken = "image not found";
  }
  expect((await running.up(one({ container: "web:2" }))).failures["shop"]).toMatch(
    /w1: 0 of 1 ready; instance 1 image not found/,
  );
});

it("pitfall 3.1: an input that is not known yet makes unknown what depends on it, and nothing else", async () => {
  const { stack } = await standing(separate(small));
  const program = separate(small);
  const { steps } = await stack.preview({
    ...program,
    w1: workload("shop", { infrastructure: "west", container: Unknown.instance, ports: [8080] }),
  });
  expect(steps.map(({ name, diffs }) => [name, Object.keys(diffs)])).toEqual([["w1", ["container"]]]);
  expect(steps[0]?.outputs["name"]).toBe("w1");
  expect(steps[0]?.outputs["digest"]).toBeInstanceOf(Unknown);
});
