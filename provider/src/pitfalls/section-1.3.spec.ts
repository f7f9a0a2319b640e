import { Metadata, status } from "@grpc/grpc-js";
import {
  CheckRequest,
  ConfigureRequest,
  CreateRequest,
  DiffRequest,
  ErrorResourceInitFailed,
} from "@pulumi/pulumi/proto/provider_pb";
import { Status } from "@pulumi/pulumi/proto/status_pb";
import fc from "fast-check";
import { Empty } from "google-protobuf/google/protobuf/empty_pb";
import { ModelNetwork } from "../network/model/model-network";
import { type CallContext, PartialFailure, type Resource } from "../resources/resource";
import { theDeployment, twoRegions } from "../testing/model-world";
import { Plugin } from "../testing/plugin";
import { inline, separate } from "../testing/program";
import { Stack } from "../testing/stack";
import { decode, encode } from "../wire/codec";
import { Secret, Unknown, type ValueMap } from "../wire/value";

const urn = "urn:pulumi:test::project::dcx:index:Deployment::shop";
const small = { workloads: 2, connections: 2 };

/** A plugin with one type whose create does what a test says. */
async function scripted(create: Resource["create"]): Promise<Plugin> {
  const resource: Resource = {
    token: "dcx:index:Deployment",
    check: async ({ inputs }) => ({ inputs, failures: [] }),
    diff: async () => ({ detailed: {}, deleteBeforeReplace: false, stables: [] }),
    create,
    read: async () => undefined,
    update: async ({ inputs }) => ({ state: inputs }),
    delete: async () => {},
  };
  return Plugin.on(() => ({ resources: new Map([[resource.token, resource]]), functions: new Map() }));
}

function createRequest(inputs: ValueMap = {}): CreateRequest {
  const request = new CreateRequest();
  request.setUrn(urn);
  request.setProperties(encode(inputs));
  return request;
}

let plugin: Plugin | undefined;
afterEach(() => {
  plugin?.close();
  plugin = undefined;
});

it("pitfall 1.3.3: Cancel may come at each end, twice, and says nothing; a new session works and hears nothing of the old", async () => {
  let waiting: (() => void) | undefined;
  const begun = new Promise<void>((resolve) => {
    waiting = resolve;
  });
  plugin = await scripted(async (_, { signal, status: tell }) => {
    for (let line = 0; line < 50; line++) {
      tell(`line ${line}`);
    }
    waiting?.();
    await new Promise((_done, reject) => signal.addEventListener("abort", () => reject(signal.reason)));
    throw new Error("unreachable");
  });
  const hanging = plugin.failure(plugin.client.create, createRequest());
  await begun;
  const before = Date.now();
  await plugin.call(plugin.client.cancel, new Empty());
  await plugin.call(plugin.client.cancel, new Empty());
  expect(Date.now() - before).toBeLessThan(1000);
  // The next session begins while messages of the first one still wait for their turn.
  await plugin.handshake();
  expect((await hanging).code).toBe(status.CANCELLED);
  expect(plugin.said).not.toMatch(/cancel/i);
  await plugin.configure();
  expect((await plugin.failure(plugin.client.create, (() => new CreateRequest())())).code).not.toBe(status.CANCELLED);
});

it("pitfall 1.3.4: a check failure names no property that holds a secret, nor any setting", async () => {
  plugin = await Plugin.start(async () => {
    throw new Error("not used");
  });
  const config = new CheckRequest();
  config.setUrn("urn:pulumi:test::project::pulumi:providers:dcx::default");
  config.setNews(encode({ network: "https://rpc.example.org", mnemonic: "planted words" }));
  const failures = (await plugin.call(plugin.client.checkConfig, config)).getFailuresList();
  expect(failures.map((one) => one.getProperty())).toEqual([""]);
  expect(failures.map((one) => one.getReason()).join()).not.toContain("planted");

  const network = twoRegions();
  const stack = new Stack(network);
  const { failures: refused } = await stack.up(
    inline({ ...small, more: { workloads: { w1: { environment: { "no name": new Secret("planted") } } } } }),
  );
  expect(refused["shop"]).toMatch(/^: workloads\.w1\.environment.* is not a name/m);
  expect(refused["shop"]).not.toContain("planted");
});

it("pitfall 1.3.5: what comes in plaintext is marked, and nothing of a request is ever said", async () => {
  plugin = await Plugin.start(async () => {
    throw new Error("it could not be loaded");
  });
  const config = new CheckRequest();
  config.setUrn("urn:pulumi:test::project::pulumi:providers:dcx::default");
  config.setNews(encode({ endpoints: "http://a", privateKey: "ab".repeat(32), namespaceKey: "planted" }));
  const checked = decode((await plugin.call(plugin.client.checkConfig, config)).getInputs() ?? encode({}));
  expect(checked["privateKey"]).toBeInstanceOf(Secret);
  expect(checked["namespaceKey"]).toBeInstanceOf(Secret);
  const written = jest.spyOn(process.stderr, "write").mockReturnValue(true);
  try {
    const request = new ConfigureRequest();
    request.setArgs(encode({ endpoints: "http://a", privateKey: new Secret("planted") }));
    request.getVariablesMap().set("dcx:config:privateKey", "planted");
    const failure = await plugin.failure(plugin.client.configure, request);
    expect(`${failure.message}${plugin.said}${JSON.stringify(written.mock.calls)}`).not.toContain("planted");
  } finally {
    written.mockRestore();
  }
});

it("pitfall 1.3.6: the codec leaves out undefined, refuses what would change, and outputs hold amounts as text", async () => {
  expect(encode({ a: undefined } as unknown as ValueMap).toJavaScript()).toEqual({});
  for (const value of [1n, Number.NaN, Number.POSITIVE_INFINITY, new Date()]) {
    expect(() => encode({ a: value } as unknown as ValueMap)).toThrow(/^a is /);
  }
  const stack = new Stack(twoRegions());
  await stack.up(inline(small));
  const outputs = stack.kept.get("shop")?.outputs ?? {};
  expect(outputs["incarnation"]).toBe("1");
  expect(outputs["leases"]).toMatchObject({
    west: { costPerBlock: expect.any(String), costPerMonth: expect.any(String) },
  });
});

it("pitfall 1.3.7: the end of a call aborts nothing", async () => {
  let context: CallContext | undefined;
  plugin = await scripted(async (_, given) => {
    context = given;
    return { id: "id-1", state: {} };
  });
  await plugin.call(plugin.client.create, createRequest());
  await plugin.handshake();
  expect(context?.signal.aborted).toBe(false);
});

it("pitfall 1.3.8: whatever is thrown, no code means 'not known' but that of a failed initialization", async () => {
  const thrown: { what: unknown } = { what: undefined };
  plugin = await scripted(async () => {
    throw thrown.what;
  });
  const { client } = plugin;
  const failureOf = plugin.failure.bind(plugin);
  await fc.assert(
    fc.asyncProperty(
      fc.oneof(
        fc.anything(),
        fc.string().map((text) => new Error(text)),
      ),
      async (what) => {
        thrown.what = what;
        const { code } = await failureOf(client.create, createRequest());
        expect([status.OK, status.INTERNAL, status.UNKNOWN, status.DATA_LOSS]).not.toContain(code);
      },
    ),
    { numRuns: 50 },
  );
  thrown.what = new PartialFailure("id-1", {}, ["no lease"]);
  const { code, metadata } = await failureOf(client.create, createRequest());
  expect(code).toBe(status.UNKNOWN);
  const [bytes] = (metadata ?? new Metadata()).get("grpc-status-details-bin");
  const [any] = Status.deserializeBinary(Buffer.from(bytes ?? "")).getDetailsList();
  expect(any?.unpack(ErrorResourceInitFailed.deserializeBinary, "pulumirpc.ErrorResourceInitFailed")?.getId()).toBe(
    "id-1",
  );
});

it("pitfall 1.3.9: the next up resumes a failed initialization by an update, without another transaction", async () => {
  const network = new ModelNetwork();
  network.addDatacenter("sierra", "us-west");
  const stack = new Stack(network, { settings: { timeout: 1 } });
  const { failures } = await stack.up(inline(small));
  expect(failures["shop"]).toMatch(/no lease for infrastructure "east"/);
  expect(stack.kept.get("shop")?.initErrors).not.toEqual([]);
  network.addDatacenter("tide", "us-east");
  const resumed = await stack.up(inline(small));
  expect(resumed.failures).toEqual({});
  expect(resumed.steps.map(({ operation, diffs }) => [operation, diffs])).toEqual([["update", {}]]);
  expect(network.transactions).toHaveLength(1);
  expect(stack.kept.get("shop")?.initErrors).toEqual([]);
});

it("pitfall 1.3.10: a create that died after its transaction is found again, not made twice", async () => {
  const network = twoRegions();
  const stack = new Stack(network);
  const submit = network.submit.bind(network);
  network.submit = async (...args) => {
    network.submit = submit;
    await submit(...args);
    stack.plugin?.kill();
    return new Promise(() => {});
  };
  await stack.up(inline(small));
  expect((await stack.up(inline(small))).failures).toEqual({});
  expect(network.deployments.size).toBe(1);
});

it("pitfall 1.3.14: moving to an explicit provider, or naming the chain that was meant, replaces nothing", async () => {
  plugin = await scripted(async () => ({ id: "id-1", state: {} }));
  const { client } = plugin;
  const ask = plugin.call.bind(plugin);
  const replaces = async (olds: ValueMap, news: ValueMap): Promise<readonly string[]> => {
    const request = new DiffRequest();
    request.setOldInputs(encode(olds));
    request.setNews(encode(news));
    return (await ask(client.diffConfig, request)).getReplacesList();
  };
  expect(await replaces({}, { network: "embedded" })).toEqual([]);
  expect(await replaces({ endpoints: "http://a" }, { endpoints: "http://a", chainId: "a" })).toEqual([]);
  expect(
    await replaces({ endpoints: "http://a", chainId: "a" }, { endpoints: "http://a", chainId: Unknown.instance }),
  ).toEqual([]);
  expect(await replaces({ endpoints: "http://a", chainId: "a" }, { endpoints: "http://a", chainId: "b" })).toEqual([
    "chainId",
  ]);
});

it("pitfall 1.3.15: names are the resources' own: autonaming is not asked for, and changes nothing where it comes", async () => {
  const network = twoRegions();
  const stack = new Stack(network);
  await stack.up(separate({ workloads: 1, connections: 0 }));
  expect(stack.kept.get("w1")?.outputs["name"]).toBe("w1");
  plugin = await scripted(async () => ({ id: "id-1", state: {} }));
  expect((await plugin.handshake()).getSupportsAutonamingConfiguration()).toBe(false);
  const request = new CheckRequest();
  request.setUrn(urn);
  request.setName("shop");
  request.setNews(encode({ a: 1 }));
  request.setRandomseed("seed");
  request.setAutonaming(new CheckRequest.AutonamingOptions().setProposedName("shop-1234567"));
  const response = await plugin.call(plugin.client.check, request);
  expect(response.getInputs()?.toJavaScript()).toEqual({ a: 1 });
});

it("pitfall 1.3.17: a plain preview sees what changed behind the engine's back, and the up heals it", async () => {
  const network = twoRegions();
  const stack = new Stack(network);
  const program = separate(small);
  await stack.up(program);
  network.breakLease(theDeployment(network), "west");
  const { steps } = await stack.preview(program);
  expect(steps.map(({ name, operation }) => [name, operation])).toContainEqual(["shop", "update"]);
  expect((await stack.up(program)).failures).toEqual({});
  expect((await stack.preview(program)).steps).toEqual([]);
  // Gone altogether: it is made again.
  network.change(theDeployment(network), (one) => ({ ...one, active: false, infrastructures: {} }));
  expect((await stack.preview({ shop: program["shop"] ?? fail() })).steps.map(({ operation }) => operation)).toContain(
    "create",
  );
});

function fail(): never {
  throw new Error("It is not there.");
}
