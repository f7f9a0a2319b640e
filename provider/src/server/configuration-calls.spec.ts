import { createServer, type Server as NetServer } from "node:net";
import { credentials, type ServiceError } from "@grpc/grpc-js";
import { ResourceProviderClient } from "@pulumi/pulumi/proto/provider_grpc_pb";
import {
  CheckRequest,
  type CheckResponse,
  ConfigureRequest,
  CreateRequest,
  DiffRequest,
  DiffResponse,
  type PropertyDiff,
} from "@pulumi/pulumi/proto/provider_pb";
import type { ProviderConfiguration } from "../configuration/configuration";
import { decode, encode } from "../wire/codec";
import { Secret, Unknown, type ValueMap } from "../wire/value";
import { type RunningProvider, serve } from "./serve";

/** CheckConfig, DiffConfig and Configure as the engine calls them. */

const url = "https://rpc.example.org";
const key = "0123456789abcdef".repeat(4);

describe("the provider's configuration over gRPC", () => {
  let provider: RunningProvider;
  let listener: NetServer;
  let client: ResourceProviderClient;
  let configured: ProviderConfiguration | undefined;
  const environment: NodeJS.ProcessEnv = {};

  beforeEach(async () => {
    configured = undefined;
    for (const name of Object.keys(environment)) delete environment[name];
    provider = serve({
      version: "1.2.3",
      environment,
      schema: async () => "{}",
      components: async () => new Map(),
      load: async (configuration) => {
        configured = configuration;
        return { resources: new Map(), functions: new Map() };
      },
    });
    listener = createServer(provider.accept);
    await new Promise<void>((resolve) => listener.listen(0, "127.0.0.1", resolve));
    const bound = listener.address();
    const port = typeof bound === "object" && bound !== null ? bound.port : 0;
    client = new ResourceProviderClient(`127.0.0.1:${port}`, credentials.createInsecure());
  });
  afterEach(() => {
    client.close();
    provider.close();
    listener.close();
  });

  /** The answer, or the error that it ended with. */
  function answered<Response>(
    ask: (done: (error: ServiceError | null, response: Response) => void) => unknown,
  ): Promise<Response> {
    return new Promise((resolve, reject) => {
      ask((error, response) => (error === null ? resolve(response) : reject(error)));
    });
  }

  async function check(inputs: ValueMap) {
    const request = new CheckRequest();
    request.setNews(encode(inputs));
    const response = await answered<CheckResponse>((done) => client.checkConfig(request, done));
    const failures = response
      .getFailuresList()
      .map((one) => ({ property: one.getProperty(), reason: one.getReason() }));
    return { inputs: decode(response.getInputs() ?? encode({})), failures, text: JSON.stringify(response.toObject()) };
  }

  async function diff(olds: ValueMap, news: ValueMap) {
    const request = new DiffRequest();
    request.setOldInputs(encode(olds));
    request.setNews(encode(news));
    const response = await answered<DiffResponse>((done) => client.diffConfig(request, done));
    const detailed = response.getDetaileddiffMap();
    const kinds = [...detailed.entries()].map(([name, one]: [string, PropertyDiff]) => [name, one.getKind()]);
    return { changes: response.getChanges(), replaces: response.getReplacesList(), kinds };
  }

  function configure(args: ValueMap) {
    const request = new ConfigureRequest();
    request.setArgs(encode(args));
    return answered((done) => client.configure(request, done));
  }

  // The engine prints the whole value of a property that a failure names, and hands secrets over unwrapped.
  it("names no property and no secret in failures, and says what to do", async () => {
    const secrets = { privateKey: "hush", namespaceKey: "hush", keyFilePassword: "hush", signerToken: "hush" };
    const { failures } = await check({ endpoints: [url], ...secrets });
    expect(failures.map(({ property }) => property)).toEqual(failures.map(() => ""));
    const reasons = failures.map(({ reason }) => reason).join("\n");
    expect(reasons).not.toContain("hush");
    expect(reasons).toMatch(/dcx:privateKey: must be 64 hexadecimal digits/);
    expect(reasons).toMatch(/dcx:namespaceKey: must be at least 32 characters.*openssl rand -hex 32/);
    expect(reasons).toMatch(/dcx:keyFilePassword: goes with keyFile/);
  });

  it("marks secrets in what it gives back, and adds nothing of the environment", async () => {
    Object.assign(environment, { DCX_PRIVATE_KEY: key, DCX_NAMESPACE_KEY: "n".repeat(32), DCX_MAX_FEE: "1" });
    const plain = await check({ endpoints: [url] });
    expect(plain.failures).toEqual([]);
    expect(plain.inputs).toEqual({ endpoints: [url] });
    expect(plain.text).not.toContain(key);
    const { inputs } = await check({ endpoints: [url], privateKey: key, signerToken: "t" });
    expect(inputs["privateKey"]).toEqual(new Secret(key));
    expect(inputs["signerToken"]).toEqual(new Secret("t"));
  });

  it("says that a signer which shows no key needs a namespace key, until there is one", async () => {
    const signing = { endpoints: [url], signerCommand: ["dcx-signer"] };
    expect((await check(signing)).failures[0]?.reason).toMatch(/dcx:namespaceKey: is needed with signerCommand/);
    environment["DCX_NAMESPACE_KEY"] = "n".repeat(32);
    expect((await check(signing)).failures).toEqual([]);
  });

  it.each<[string, ValueMap, ValueMap, readonly string[]]>([
    ["other credentials", { endpoints: [url], privateKey: new Secret(key) }, { endpoints: [url], keyFile: "k" }, []],
    ["another signer", { endpoints: [url], mnemonic: "a" }, { endpoints: [url], signerCommand: ["s"] }, []],
    ["limits and times", { network: "embedded" }, { network: "embedded", maxFee: "1", timeout: "1h" }, []],
    ["from nothing said to something", {}, { endpoints: [url], chainId: "a" }, []],
    ["another chain", { endpoints: [url], chainId: "a" }, { endpoints: [url], chainId: "b" }, ["chainId"]],
    ["another kind of network", { network: "embedded" }, { endpoints: [url], network: "exchange" }, ["network"]],
  ])("replaces what it must, and no more, for %s", async (_, olds, news, replaces) => {
    const found = await diff(olds, news);
    expect(found.changes).toBe(DiffResponse.DiffChanges.DIFF_SOME);
    expect(found.replaces).toEqual(replaces);
  });

  it("sees no change where there is none, secrets included", async () => {
    const inputs = { endpoints: [url], privateKey: new Secret(key) };
    expect((await diff(inputs, inputs)).changes).toBe(DiffResponse.DiffChanges.DIFF_NONE);
  });

  it("is configured by the program, else by the environment", async () => {
    Object.assign(environment, { DCX_PRIVATE_KEY: key, DCX_CHAIN_ID: "from-environment", DCX_CREATE_TIMEOUT: "20m" });
    await configure({ endpoints: [url], chainId: "from-program" });
    expect(configured).toMatchObject({
      network: { kind: "exchange", endpoints: [url], chainId: "from-program" },
      signer: { kind: "privateKey", privateKey: key },
      timeouts: { create: 1200, update: 600, delete: 600 },
    });
  });

  it("is not configured while something is not known, and refuses what is wrong without its secrets", async () => {
    await configure({ endpoints: Unknown.instance });
    const request = new CreateRequest();
    request.setUrn("urn:pulumi:test::project::dcx:index:Deployment::shop");
    await expect(answered((done) => client.create(request, done))).rejects.toThrow(/is not configured yet/);
    const failure = await configure({ endpoints: [url], privateKey: new Secret("hush") }).catch(String);
    expect(failure).toMatch(/privateKey: must be 64 hexadecimal digits/);
    expect(failure).not.toContain("hush");
  });
});
