import { createServer, type Server as NetServer } from "node:net";
import { credentials, type ServiceError, status } from "@grpc/grpc-js";
import { PluginAttach } from "@pulumi/pulumi/proto/plugin_pb";
import { ResourceProviderClient } from "@pulumi/pulumi/proto/provider_grpc_pb";
import {
  CallRequest,
  CheckRequest,
  ConfigureRequest,
  CreateRequest,
  DeleteRequest,
  DiffRequest,
  DiffResponse,
  ErrorResourceInitFailed,
  GetMappingRequest,
  GetMappingsRequest,
  GetSchemaRequest,
  InvokeRequest,
  ParameterizeRequest,
  PropertyDiff,
  ProviderHandshakeRequest,
  ReadRequest,
  UpdateRequest,
} from "@pulumi/pulumi/proto/provider_pb";
import { Status } from "@pulumi/pulumi/proto/status_pb";
import { Empty } from "google-protobuf/google/protobuf/empty_pb";
import { WaitTimeout } from "../await/wait";
import { NetworkError, RevisionConflict } from "../network/driver";
import { type CallContext, type CheckRequest as Check, PartialFailure, type Resource } from "../resources/resource";
import { FakeEngine } from "../testing/fake-engine";
import { ask, listen, type Method } from "../testing/grpc";
import { decode, encode } from "../wire/codec";
import { Secret, Unknown, type ValueMap } from "../wire/value";
import { type RunningProvider, serve } from "./serve";

const urn = "urn:pulumi:test::project::dcx:index:Deployment::shop";

/** Does what a test says, and keeps what it was asked. */
class Scripted implements Resource {
  readonly token = "dcx:index:Deployment";
  asked: unknown;
  check = async (request: Check, _context: CallContext) => {
    this.asked = request;
    return { inputs: request.inputs, failures: [] as { property: string; reason: string }[] };
  };
  diff: Resource["diff"] = async (request) => {
    this.asked = request;
    return { detailed: {}, deleteBeforeReplace: false, stables: [] };
  };
  create: Resource["create"] = async (request) => {
    this.asked = request;
    return { id: request.preview ? "" : "id-1", state: request.inputs };
  };
  read: Resource["read"] = async (request) => {
    this.asked = request;
    return { id: request.id, inputs: request.inputs ?? { found: true }, state: request.state ?? { found: true } };
  };
  update: Resource["update"] = async (request) => {
    this.asked = request;
    return { state: request.inputs };
  };
  delete: Resource["delete"] = async (request) => {
    this.asked = request;
  };
}

describe("the provider's server", () => {
  let engine: FakeEngine;
  let provider: RunningProvider;
  let listener: NetServer;
  let client: ResourceProviderClient;
  let resource: Scripted;

  const call = <Request, Response>(method: Method<Request, Response>, request: Request): Promise<Response> =>
    ask(client, method, request);
  const failure = async (promise: Promise<unknown>): Promise<ServiceError> => {
    const outcome = await promise.then(
      () => undefined,
      (error: ServiceError) => error,
    );
    if (outcome === undefined) {
      throw new Error("it succeeded");
    }
    return outcome;
  };
  const handshake = () => {
    const request = new ProviderHandshakeRequest();
    request.setEngineAddress(engine.address);
    return call(client.handshake, request);
  };
  const configure = (args: ValueMap = { network: "embedded" }) => {
    const request = new ConfigureRequest();
    request.setArgs(encode(args));
    return call(client.configure, request);
  };
  const createRequest = (inputs: ValueMap = {}) => {
    const request = new CreateRequest();
    request.setUrn(urn);
    request.setProperties(encode(inputs));
    return request;
  };
  const create = (inputs: ValueMap = {}) => call(client.create, createRequest(inputs));

  beforeEach(async () => {
    engine = new FakeEngine();
    await engine.start();
    resource = new Scripted();
    provider = serve({
      version: "1.2.3",
      environment: {},
      load: async () => ({
        resources: new Map([[resource.token, resource]]),
        functions: new Map([["dcx:index:getDeployment", async (args: ValueMap) => ({ echoed: args["id"] ?? null })]]),
      }),
      components: async () => new Map(),
      schema: async () => '{"name":"dcx"}',
    });
    listener = createServer(provider.accept);
    const port = await listen(listener);
    client = new ResourceProviderClient(`127.0.0.1:${port}`, credentials.createInsecure());
    await handshake();
    await configure();
  });

  afterEach(() => {
    client.close();
    provider.close();
    listener.close();
    engine.server.forceShutdown();
  });

  it("says who it is and what it can do", async () => {
    expect((await call(client.getPluginInfo, new Empty())).getVersion()).toBe("1.2.3");
    expect((await handshake()).toObject()).toMatchObject({
      acceptSecrets: true,
      acceptResources: true,
      acceptOutputs: false,
    });
    expect((await configure()).toObject()).toMatchObject({
      acceptsecrets: true,
      supportspreview: true,
      acceptresources: true,
    });
    expect((await call(client.getSchema, new GetSchemaRequest())).getSchema()).toBe('{"name":"dcx"}');
    expect((await call(client.getMapping, new GetMappingRequest())).getData()).toHaveLength(0);
  });

  describe("asked to check", () => {
    it("hands over inputs, old inputs and name, and answers what the resource made of them", async () => {
      const request = new CheckRequest();
      request.setUrn(urn);
      request.setName("shop");
      request.setNews(encode({ a: new Secret("hush"), b: Unknown.instance }));
      const response = await call(client.check, request);
      expect(resource.asked).toMatchObject({ name: "shop", oldInputs: undefined });
      const inputs = decode(response.getInputs() ?? encode({}));
      expect(inputs["a"]).toBeInstanceOf(Secret);
      expect(inputs["b"]).toBe(Unknown.instance);
    });

    it("names no property that holds a secret, for the engine would print its value", async () => {
      resource.check = async ({ inputs }) => ({
        inputs,
        failures: [
          { property: "environment.KEY", reason: "is too short" },
          { property: "count", reason: "is negative" },
        ],
      });
      const request = new CheckRequest();
      request.setUrn(urn);
      request.setNews(encode({ environment: { KEY: new Secret("hush") }, count: -1 }));
      expect((await call(client.check, request)).getFailuresList().map((one) => one.toObject())).toEqual([
        { property: "", reason: "environment.KEY: is too short" },
        { property: "count", reason: "is negative" },
      ]);
    });
  });

  it("answers a difference by path, with what it replaces and what stays", async () => {
    resource.diff = async () => ({
      detailed: {
        'environment["LOG.LEVEL"]': { kind: "update", inputDiff: true },
        name: { kind: "update-replace", inputDiff: true },
      },
      deleteBeforeReplace: true,
      stables: ["deploymentId"],
    });
    const request = new DiffRequest();
    request.setUrn(urn);
    request.setIgnorechangesList(["x"]);
    const response = await call(client.diff, request);
    expect(response.getChanges()).toBe(DiffResponse.DiffChanges.DIFF_SOME);
    expect(response.getDiffsList()).toEqual(["environment", "name"]);
    expect(response.getReplacesList()).toEqual(["name"]);
    expect(response.getStablesList()).toEqual(["deploymentId"]);
    expect(response.getDeletebeforereplace()).toBe(true);
    expect(response.getHasdetaileddiff()).toBe(true);
    expect(response.getDetaileddiffMap().get("name")?.getKind()).toBe(PropertyDiff.Kind.UPDATE_REPLACE);
  });

  it("answers no difference as none, and not as unknown", async () => {
    const request = new DiffRequest();
    request.setUrn(urn);
    expect((await call(client.diff, request)).getChanges()).toBe(DiffResponse.DiffChanges.DIFF_NONE);
  });

  it("asks for a refresh before each update", async () => {
    expect((await create()).getRefreshBeforeUpdate()).toBe(true);
    const update = new UpdateRequest();
    update.setUrn(urn);
    expect((await call(client.update, update)).getRefreshBeforeUpdate()).toBe(true);
    const read = new ReadRequest();
    read.setUrn(urn);
    read.setId("id-1");
    expect((await call(client.read, read)).getRefreshBeforeUpdate()).toBe(true);
  });

  it("creates in a preview without an id, with unknown outputs", async () => {
    resource.create = async ({ preview, timeout }) => {
      expect({ preview, timeout }).toEqual({ preview: true, timeout: 30 });
      return { id: "", state: { version: Unknown.instance } };
    };
    const request = createRequest();
    request.setPreview(true);
    request.setTimeout(30);
    const response = await call(client.create, request);
    expect(response.getId()).toBe("");
    expect(decode(response.getProperties() ?? encode({}))).toEqual({ version: Unknown.instance });
  });

  it.each([
    ["nothing", false],
    ["empty properties", true],
  ])("reads an import, for which the engine sends %s", async (_, empty) => {
    const request = new ReadRequest();
    request.setUrn(urn);
    request.setId("c/t/1");
    if (empty) {
      request.setInputs(encode({}));
      request.setProperties(encode({}));
    }
    const response = await call(client.read, request);
    expect(resource.asked).toEqual({ id: "c/t/1", inputs: undefined, state: undefined });
    expect(response.getId()).toBe("c/t/1");
    expect(response.getInputs()?.toJavaScript()).toEqual({ found: true });
  });

  it("answers an empty id for what is proven to be gone", async () => {
    resource.read = async () => undefined;
    const request = new ReadRequest();
    request.setUrn(urn);
    request.setId("c/t/1");
    expect((await call(client.read, request)).getId()).toBe("");
  });

  it("deletes with the inputs and the state that were kept", async () => {
    const request = new DeleteRequest();
    request.setUrn(urn);
    request.setId("c/t/1");
    request.setProperties(encode({ a: 1 }));
    request.setOldInputs(encode({ b: 2 }));
    await call(client.delete, request);
    expect(resource.asked).toEqual({ id: "c/t/1", oldState: { a: 1 }, oldInputs: { b: 2 }, timeout: 0 });
  });

  it("calls functions", async () => {
    const request = new InvokeRequest();
    request.setTok("dcx:index:getDeployment");
    request.setArgs(encode({ id: "c/t/1" }));
    expect((await call(client.invoke, request)).getReturn()?.toJavaScript()).toEqual({ echoed: "c/t/1" });
  });

  describe("when something fails", () => {
    it("keeps what exists: an initialization failure carries id, state, inputs and reasons", async () => {
      resource.create = async () => {
        throw new PartialFailure("id-1", { key: new Secret("hush") }, ["no lease", "nobody has bid"], { a: 1 });
      };
      const error = await failure(create());
      expect(error.code).toBe(status.UNKNOWN);
      const [bytes] = error.metadata.get("grpc-status-details-bin");
      const rich = Status.deserializeBinary(Buffer.from(bytes ?? ""));
      const [any] = rich.getDetailsList();
      const detail = any?.unpack(ErrorResourceInitFailed.deserializeBinary, "pulumirpc.ErrorResourceInitFailed");
      expect(detail?.getId()).toBe("id-1");
      expect(detail?.getReasonsList()).toEqual(["no lease", "nobody has bid"]);
      expect(detail?.getInputs()?.toJavaScript()).toEqual({ a: 1 });
      expect(decode(detail?.getProperties() ?? encode({}))["key"]).toBeInstanceOf(Secret);
      expect(detail?.getRefreshBeforeUpdate()).toBe(false);
    });

    it.each([
      ["an unreachable network", new NetworkError("unreachable", "no answer"), status.UNAVAILABLE],
      ["a refusal", new NetworkError("refused", "too little"), status.FAILED_PRECONDITION],
      ["a lost race", new RevisionConflict("revision 12 → 13"), status.ABORTED],
      ["the end of its time", new WaitTimeout(["no lease"]), status.DEADLINE_EXCEEDED],
      ["a sentence for the user", new Error("the order is gone"), status.FAILED_PRECONDITION],
      ["a mistake of ours", new TypeError("x is not a function"), status.FAILED_PRECONDITION],
    ])("answers %s with a code that the engine takes for 'nothing happened'", async (_, thrown, code) => {
      resource.create = async () => {
        throw thrown;
      };
      const error = await failure(create());
      expect(error.code).toBe(code);
      expect(error.details).toContain(thrown.message);
    });

    it("says that it is to be reported where the mistake is ours", async () => {
      resource.create = async () => {
        throw new TypeError("x is not a function");
      };
      expect((await failure(create())).details).toContain("Please report it");
    });

    it("refuses an unknown type, naming those that there are", async () => {
      const request = createRequest();
      request.setUrn("urn:pulumi:test::project::dcx:index:Newer::n");
      const error = await failure(call(client.create, request));
      expect(error.code).toBe(status.UNIMPLEMENTED);
      expect(error.details).toContain("dcx:index:Deployment");
    });

    it("refuses a wrong configuration at Configure too, for a refresh never checks it", async () => {
      const error = await failure(configure({ network: "https://rpc.example.org", privateKey: new Secret("hush") }));
      expect(error.code).toBe(status.INVALID_ARGUMENT);
      expect(error.details).toContain("privateKey: must be 64 hexadecimal digits");
      expect(error.details).not.toContain("hush");
    });

    it("refuses methods on resources and parameters with a sentence", async () => {
      for (const refused of [
        call(client.call, new CallRequest()),
        call(client.parameterize, new ParameterizeRequest()),
      ]) {
        expect(await failure(refused)).toMatchObject({
          code: status.UNIMPLEMENTED,
          details: expect.stringMatching(
            /^this version of the dcx plugin has no (methods on resources|parameters)[;:] /,
          ),
        });
      }
    });

    it("knows of no other tool's resources, which is no failure", async () => {
      expect((await call(client.getMappings, new GetMappingsRequest())).getProvidersList()).toEqual([]);
      expect((await call(client.getMapping, new GetMappingRequest())).getProvider()).toBe("");
    });
  });

  describe("cancelled", () => {
    const waiting = () =>
      new Promise<void>((resolve) => {
        resource.create = async (_, { signal }) => {
          resolve();
          await new Promise((_done, reject) => signal.addEventListener("abort", () => reject(signal.reason)));
          throw new Error("unreachable");
        };
      });

    it("ends what waits, refuses what comes after, and works again in a new session", async () => {
      const started = waiting();
      const hanging = failure(create());
      await started;
      await call(client.cancel, new Empty());
      expect((await hanging).code).toBe(status.CANCELLED);
      expect((await failure(create())).code).toBe(status.CANCELLED);
      await handshake();
      resource.create = async () => ({ id: "id-2", state: {} });
      expect((await create()).getId()).toBe("id-2");
    });

    it("may be cancelled twice, and says nothing to the person about it", async () => {
      await call(client.cancel, new Empty());
      await call(client.cancel, new Empty());
      expect(engine.lines).toEqual([]);
      const attach = new PluginAttach();
      attach.setAddress(engine.address);
      await call(client.attach, attach);
      expect((await create()).getId()).toBe("id-1");
    });

    it("ends a thousand waiting requests at once", async () => {
      resource.create = (_, { signal }) =>
        new Promise((_done, reject) => signal.addEventListener("abort", () => reject(signal.reason)));
      const hanging = Array.from({ length: 1000 }, () => failure(create()));
      while (provider.requests.inFlight < 1000) {
        await new Promise(setImmediate);
      }
      await call(client.cancel, new Empty());
      const codes = await Promise.all(hanging.map(async (one) => (await one).code));
      expect(new Set(codes)).toEqual(new Set([status.CANCELLED]));
      expect(provider.requests.inFlight).toBe(0);
    });
  });

  describe("telling the person", () => {
    it("delivers what a request said before its answer, in order, and nothing twice", async () => {
      resource.create = async (_, context) => {
        context.status("1 of 2");
        context.status("1 of 2");
        context.log("info", "taking over");
        context.log("info", "taking over");
        context.status("2 of 2");
        return { id: "id-1", state: {} };
      };
      await create();
      expect(engine.lines).toEqual([
        { message: "1 of 2", urn, ephemeral: true },
        { message: "taking over", urn, ephemeral: false },
        { message: "2 of 2", urn, ephemeral: true },
      ]);
    });

    it("fails no request when the engine does not listen", async () => {
      engine.server.forceShutdown();
      resource.create = async (_, context) => {
        context.log("warning", "nobody hears this");
        return { id: "id-1", state: {} };
      };
      expect((await create()).getId()).toBe("id-1");
    });
  });
});
