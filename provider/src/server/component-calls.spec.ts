import { createServer, type Server as NetServer } from "node:net";
import {
  credentials,
  Metadata,
  Server,
  ServerCredentials,
  type ServerUnaryCall,
  type ServiceError,
  type sendUnaryData,
  status,
  type UntypedHandleCall,
} from "@grpc/grpc-js";
import { Alias } from "@pulumi/pulumi/proto/alias_pb";
import { ResourceProviderClient } from "@pulumi/pulumi/proto/provider_grpc_pb";
import { ConfigureRequest, ConstructRequest, type ConstructResponse } from "@pulumi/pulumi/proto/provider_pb";
import { ResourceMonitorService } from "@pulumi/pulumi/proto/resource_grpc_pb";
import {
  type RegisterResourceOutputsRequest,
  type RegisterResourceRequest,
  RegisterResourceResponse,
  Result,
} from "@pulumi/pulumi/proto/resource_pb";
import { Empty } from "google-protobuf/google/protobuf/empty_pb";
import { Value as WireValue } from "google-protobuf/google/protobuf/struct_pb";
import { Application } from "../components/application";
import { listen } from "../testing/grpc";
import { decode, encode } from "../wire/codec";
import { ResourceReference, Secret, Unknown, type ValueMap } from "../wire/value";
import { type RunningProvider, serve } from "./serve";

const component = "urn:pulumi:dev::shop::dcx:index:Application::shop";
const deployment = "urn:pulumi:dev::shop::dcx:index:Application$dcx:index:Deployment::shop";
const typed: ValueMap = {
  infrastructures: { west: { resources: [{ cpu: 1, memory: "1Gi", disk: "1Gi", maxPrice: "1" }] } },
  workloads: { web: { infrastructure: "west", container: "a:1", environment: { KEY: new Secret("hunter2") } } },
};

/** A resource monitor that makes everything at once, and keeps what it was asked. */
class FakeMonitor {
  readonly registered: RegisterResourceRequest[] = [];
  readonly outputs: RegisterResourceOutputsRequest[] = [];
  readonly server = new Server();
  address = "";
  /** Awaited before each answer. */
  later = async (): Promise<void> => {};
  answer = (request: RegisterResourceRequest): RegisterResourceResponse | Partial<ServiceError> => {
    const response = new RegisterResourceResponse();
    response.setUrn(request.getCustom() ? deployment : component);
    response.setId(request.getCustom() ? "dcx-1/dcx1tenant/1" : "");
    response.setObject(encode({ deploymentId: "dcx-1/dcx1tenant/1", version: "ab", addresses: {}, leases: {} }));
    return response;
  };

  async start(): Promise<void> {
    const unused: UntypedHandleCall = () => {
      throw new Error("not used by components");
    };
    const implementation: Record<string, UntypedHandleCall> = Object.fromEntries(
      Object.keys(ResourceMonitorService).map((name) => [name, unused]),
    );
    implementation["registerResource"] = (
      call: ServerUnaryCall<RegisterResourceRequest, RegisterResourceResponse>,
      answer: sendUnaryData<RegisterResourceResponse>,
    ) => {
      this.registered.push(call.request);
      this.later().then(() => {
        const response = this.answer(call.request);
        if (response instanceof RegisterResourceResponse) {
          answer(null, response);
        } else {
          answer(response);
        }
      });
    };
    implementation["registerResourceOutputs"] = (
      call: ServerUnaryCall<RegisterResourceOutputsRequest, Empty>,
      answer: sendUnaryData<Empty>,
    ) => {
      this.outputs.push(call.request);
      answer(null, new Empty());
    };
    this.server.addService(ResourceMonitorService, implementation);
    const port = await new Promise<number>((resolve, reject) => {
      this.server.bindAsync("127.0.0.1:0", ServerCredentials.createInsecure(), (error, bound) =>
        error === null ? resolve(bound) : reject(error),
      );
    });
    this.address = `127.0.0.1:${port}`;
  }
}

describe("Construct", () => {
  let monitor: FakeMonitor;
  let provider: RunningProvider;
  let listener: NetServer;
  let client: ResourceProviderClient;

  beforeEach(async () => {
    monitor = new FakeMonitor();
    await monitor.start();
    provider = serve({
      version: "1.2.3",
      environment: {},
      load: async () => ({ resources: new Map(), functions: new Map() }),
      components: async () => new Map([["dcx:index:Application", new Application({ version: "1.2.3" })]]),
      schema: async () => "{}",
    });
    listener = createServer(provider.accept);
    const port = await listen(listener);
    client = new ResourceProviderClient(`127.0.0.1:${port}`, credentials.createInsecure());
  });

  afterEach(() => {
    client.close();
    provider.close();
    listener.close();
    monitor.server.forceShutdown();
  });

  function request(inputs: ValueMap = typed): ConstructRequest {
    const made = new ConstructRequest();
    made.setProject("shop");
    made.setStack("dev");
    made.setType("dcx:index:Application");
    made.setName("shop");
    made.setMonitorendpoint(monitor.address);
    made.setInputs(encode(inputs));
    return made;
  }

  const construct = (made: ConstructRequest): Promise<ConstructResponse> =>
    new Promise((resolve, reject) => {
      client.construct(made, new Metadata(), {}, (error, response) =>
        error === null ? resolve(response) : reject(error),
      );
    });

  it("registers the component, its deployment, its outputs, and answers them with what they depend on", async () => {
    const response = await construct(request());
    const [own, child] = monitor.registered;
    expect(own?.toObject()).toMatchObject({
      type: "dcx:index:Application",
      name: "shop",
      custom: false,
      remote: false,
      acceptsecrets: true,
      acceptresources: true,
      supportspartialvalues: true,
      supportsresultreporting: true,
      aliasspecs: true,
    });
    expect(child?.toObject()).toMatchObject({
      type: "dcx:index:Deployment",
      name: "shop",
      custom: true,
      parent: component,
      provider: "",
    });
    expect(decode(child?.getObject() ?? encode({}))).toEqual(typed);
    expect(response.getUrn()).toBe(component);
    const outputs = {
      deployment: new ResourceReference(deployment, "dcx-1/dcx1tenant/1", "1.2.3"),
      deploymentId: "dcx-1/dcx1tenant/1",
      version: "ab",
      addresses: {},
      leases: {},
    };
    expect(decode(response.getState() ?? encode({}))).toEqual(outputs);
    expect(monitor.outputs.map((one) => [one.getUrn(), decode(one.getOutputs() ?? encode({}))])).toEqual([
      [component, outputs],
    ]);
    expect(response.getStatedependenciesMap().get("addresses")?.getUrnsList()).toEqual([deployment]);
  });

  it("keeps secrets secret on the way", async () => {
    await construct(request());
    for (const one of monitor.registered) {
      const workloads = decode(one.getObject() ?? encode({}))["workloads"] as { web: { environment: ValueMap } };
      expect(workloads.web.environment["KEY"]).toBeInstanceOf(Secret);
    }
  });

  it("hands on every option that the program gave the component", async () => {
    const made = request();
    made.setParent("urn:parent");
    made.setProtect(false);
    made.setRetainondelete(true);
    made.setDeletebeforereplace(true);
    made.setDeletedwith("urn:with");
    made.setReplaceWithList(["urn:replaced"]);
    made.setIgnorechangesList(["waitDuration"]);
    made.setReplaceonchangesList(["workloads"]);
    made.setAdditionalsecretoutputsList(["addresses"]);
    made.setDependenciesList(["urn:before"]);
    made.setStackTraceHandle("trace");
    const trigger = new WireValue();
    trigger.setStringValue("now");
    made.setReplacementTrigger(trigger);
    made.getProvidersMap().set("dcx", "urn:provider::id").set("other", "urn:other::id");
    const property = new ConstructRequest.PropertyDependencies();
    property.setUrnsList(["urn:secret"]);
    made.getInputdependenciesMap().set("workloads", property);
    const timeouts = new ConstructRequest.CustomTimeouts();
    timeouts.setCreate("1m");
    timeouts.setUpdate("2m");
    timeouts.setDelete("3m");
    made.setCustomtimeouts(timeouts);
    const spec = new Alias.Spec();
    spec.setName("old");
    spec.setNoparent(true);
    const alias = new Alias();
    alias.setSpec(spec);
    const whole = new Alias();
    whole.setUrn("urn:alias");
    made.setAliasesList([alias, whole]);
    const hooks = new ConstructRequest.ResourceHooksBinding();
    hooks.setBeforeCreateList(["a"]);
    hooks.setAfterDeleteList(["b"]);
    made.setResourceHooks(hooks);

    await construct(made);
    const both = {
      protect: false,
      retainondelete: true,
      deletebeforereplace: true,
      deletebeforereplacedefined: true,
      deletedwith: "urn:with",
      replaceWithList: ["urn:replaced"],
      ignorechangesList: ["waitDuration"],
      replaceonchangesList: ["workloads"],
      additionalsecretoutputsList: ["addresses"],
      customtimeouts: { create: "1m", update: "2m", pb_delete: "3m" },
      dependenciesList: ["urn:before", "urn:secret"],
      parentstacktracehandle: "trace",
      replacementTrigger: { stringValue: "now" },
    };
    const [own, child] = monitor.registered;
    expect(own?.toObject()).toMatchObject({
      ...both,
      parent: "urn:parent",
      providersMap: [
        ["dcx", "urn:provider::id"],
        ["other", "urn:other::id"],
      ],
      aliasesList: [{ spec: { name: "old", noparent: true } }, { urn: "urn:alias" }],
      hooks: { beforeCreateList: ["a"], afterDeleteList: ["b"] },
    });
    expect(child?.toObject()).toMatchObject({ ...both, provider: "urn:provider::id", aliasesList: [] });
    expect(child?.getPropertydependenciesMap().get("workloads")?.getUrnsList()).toEqual(["urn:secret"]);
    // Said of every property: a request that says none is taken to depend with all of them on everything.
    expect(child?.getPropertydependenciesMap().get("infrastructures")?.getUrnsList()).toEqual([]);
  });

  it("makes the deployment by the provider that makes the component, whichever version that is", async () => {
    const configure = new ConfigureRequest();
    configure.setUrn("urn:pulumi:dev::shop::pulumi:providers:dcx::default_1_2_3");
    configure.setId("0a1b");
    configure.setArgs(encode({ network: "embedded" }));
    await new Promise<void>((resolve, reject) =>
      client.configure(configure, (error) => (error === null ? resolve() : reject(error))),
    );
    await construct(request());
    const child = monitor.registered[1];
    expect(child?.getProvider()).toBe("urn:pulumi:dev::shop::pulumi:providers:dcx::default_1_2_3::0a1b");
  });

  it("leaves unset what the program did not set", async () => {
    await construct(request());
    for (const one of monitor.registered) {
      expect([one.hasProtect(), one.hasRetainondelete(), one.getDeletebeforereplacedefined()]).toEqual([
        false,
        false,
        false,
      ]);
      expect(one.hasCustomtimeouts()).toBe(false);
    }
  });

  it("previews with what is unknown", async () => {
    monitor.answer = (asked) => {
      const response = new RegisterResourceResponse();
      response.setUrn(asked.getCustom() ? deployment : component);
      response.setObject(encode({}));
      return response;
    };
    const made = request({ ...typed, waitDuration: Unknown.instance });
    made.setDryrun(true);
    const outputs = decode((await construct(made)).getState() ?? encode({}));
    expect(outputs["version"]).toBe(Unknown.instance);
    expect(outputs["deployment"]).toEqual(new ResourceReference(deployment, Unknown.instance, "1.2.3"));
    expect(decode(monitor.registered[1]?.getObject() ?? encode({}))["waitDuration"]).toBe(Unknown.instance);
  });

  it("marks what is secret in the project's configuration", async () => {
    // biome-ignore lint/suspicious/noTemplateCurlyInString: a variable of the file
    const reference = "${key}";
    const file = {
      ...typed,
      variables: { key: null },
      workloads: { web: { infrastructure: "west", container: "a:1", environment: { KEY: reference } } },
    };
    const made = request({ text: JSON.stringify(file) });
    made.getConfigMap().set("shop:key", "hunter2");
    made.setConfigsecretkeysList(["shop:key"]);
    await construct(made);
    const workloads = decode(monitor.registered[1]?.getObject() ?? encode({}))["workloads"];
    expect(workloads).toMatchObject({ web: { environment: { KEY: expect.any(Secret) } } });
    // What the component itself keeps does not have it at all.
    expect(JSON.stringify(monitor.registered[0]?.toObject())).not.toContain("hunter2");
  });

  it("goes on without outputs where the engine goes on after its deployment failed", async () => {
    const { answer } = monitor;
    monitor.answer = (asked) => {
      const response = answer(asked);
      if (response instanceof RegisterResourceResponse && asked.getCustom()) {
        response.setResult(Result.FAIL);
      }
      return response;
    };
    const response = await construct(request());
    expect(decode(response.getState() ?? encode({}))["version"]).toBe(Unknown.instance);
    expect(monitor.outputs).toEqual([]);
  });

  it("says that the engine stopped where that is why its deployment is not done", async () => {
    const { answer } = monitor;
    monitor.answer = (asked) =>
      asked.getCustom() ? { code: status.UNAVAILABLE, details: "resource monitor shut down" } : answer(asked);
    const failed = await construct(request()).catch((error: ServiceError) => error);
    expect(failed).toMatchObject({ code: status.CANCELLED, details: expect.stringMatching(/^the engine stopped/) });
    expect(monitor.outputs).toEqual([]);
  });

  it("says so before Cancel is answered, for the engine closes the connection then", async () => {
    let answerLater = (): void => {};
    monitor.later = () =>
      new Promise((resolve) => {
        answerLater = resolve;
      });
    const order: string[] = [];
    const ending = construct(request()).catch((error: ServiceError) => {
      order.push(error.details);
    });
    while (monitor.registered.length < 1) {
      await new Promise(setImmediate);
    }
    await new Promise<void>((resolve) => client.cancel(new Empty(), () => resolve()));
    order.push("cancelled");
    await ending;
    expect(order).toEqual([expect.stringMatching(/^the engine stopped/), "cancelled"]);
    answerLater();
  });

  it("refuses what is wrong with the component's own inputs", async () => {
    const failed = await construct(request({})).catch((error: ServiceError) => error);
    expect(failed).toMatchObject({ code: status.INVALID_ARGUMENT, details: expect.stringMatching(/needs `file`/) });
  });

  it("refuses a component that it does not have, naming those that it has", async () => {
    const made = request();
    made.setType("dcx:index:Platform");
    const failed = await construct(made).catch((error: ServiceError) => error);
    expect(failed).toMatchObject({
      code: status.UNIMPLEMENTED,
      details: expect.stringMatching(/dcx:index:Application/),
    });
  });

  it("keeps many at a time apart", async () => {
    const names = Array.from({ length: 20 }, (_, index) => `shop-${index}`);
    await Promise.all(
      names.map((name) => {
        const made = request();
        made.setName(name);
        return construct(made);
      }),
    );
    const made = monitor.registered.filter((one) => one.getCustom()).map((one) => one.getName());
    expect(made.sort()).toEqual([...names].sort());
    expect(monitor.outputs).toHaveLength(20);
  });
});
