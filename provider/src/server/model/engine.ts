import { createServer, type Server as NetServer } from "node:net";
import { credentials } from "@grpc/grpc-js";
import { ResourceProviderClient } from "@pulumi/pulumi/proto/provider_grpc_pb";
import {
  CheckRequest,
  ConfigureRequest,
  CreateRequest,
  DeleteRequest,
  DiffRequest,
  DiffResponse,
  InvokeRequest,
  PropertyDiff,
  ProviderHandshakeRequest,
  ReadRequest,
  UpdateRequest,
} from "@pulumi/pulumi/proto/provider_pb";
import type { NetworkDriver } from "../../network/driver";
import { resourcesOn } from "../../resources";
import type { SessionSettings } from "../../resources/session";
import { FakeEngine } from "../../testing/fake-engine";
import { ask, listen, type Method } from "../../testing/grpc";
import { decode, encode } from "../../wire/codec";
import type { ValueMap } from "../../wire/value";
import { type RunningProvider, serve } from "../serve";

/** What the engine keeps of a resource. */
export interface Kept {
  readonly type: string;
  readonly name: string;
  readonly id: string;
  readonly inputs: ValueMap;
  readonly state: ValueMap;
}

export interface Difference {
  readonly changes: boolean;
  /** The engine's word for each path: `ADD`, `UPDATE_REPLACE`, … */
  readonly detailed: Readonly<Record<string, string>>;
  readonly replaces: readonly string[];
  readonly deleteBeforeReplace: boolean;
  readonly stables: readonly string[];
}

/** For tests: an engine in front of a provider on any network, both ends over gRPC as they are in life. */
export class ModelEngine {
  private constructor(
    private readonly provider: RunningProvider,
    private readonly listener: NetServer,
    private readonly log: FakeEngine,
    private readonly client: ResourceProviderClient,
    readonly stack: string,
  ) {}

  static async start(
    network: NetworkDriver,
    { stack = "dev", ...settings }: Partial<SessionSettings> & { readonly stack?: string } = {},
  ): Promise<ModelEngine> {
    const provider = serve({
      version: "0.0.0-model",
      environment: {},
      load: async () => resourcesOn(network, { namespace: "", timeout: 30, skipAwait: false, ...settings }),
      schema: async () => "{}",
      components: () => Promise.reject(new Error("there are no components in this test")),
    });
    const listener = createServer(provider.accept);
    const log = new FakeEngine();
    await log.start();
    const client = new ResourceProviderClient(`127.0.0.1:${await listen(listener)}`, credentials.createInsecure());
    const engine = new ModelEngine(provider, listener, log, client, stack);
    const handshake = new ProviderHandshakeRequest();
    handshake.setEngineAddress(log.address);
    await engine.#call(client.handshake, handshake);
    const configure = new ConfigureRequest();
    configure.setArgs(encode({ network: "embedded" }));
    await engine.#call(client.configure, configure);
    return engine;
  }

  close(): void {
    this.client.close();
    this.provider.close();
    this.listener.close();
    this.log.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }

  /** What the provider has said since this was last called, status lines apart. */
  said(): string {
    const said = this.log.lines.filter(({ ephemeral }) => !ephemeral).map(({ message }) => message);
    this.log.lines.length = 0;
    return said.join("\n");
  }

  urn(type: string, name: string): string {
    return `urn:pulumi:${this.stack}::model::dcx:index:${type}::${name}`;
  }

  /** Normal inputs. Rejects with what is wrong. */
  async check(type: string, name: string, inputs: ValueMap, old?: ValueMap): Promise<ValueMap> {
    const request = new CheckRequest();
    request.setUrn(this.urn(type, name));
    request.setName(name);
    request.setNews(encode(inputs));
    if (old !== undefined) {
      request.setOlds(encode(old));
    }
    const response = await this.#call(this.client.check, request);
    const failures = response.getFailuresList().map((one) => one.getReason());
    if (failures.length > 0) {
      throw new Error(failures.join("\n"));
    }
    return decode(response.getInputs() ?? encode({}));
  }

  async previewCreate(type: string, name: string, inputs: ValueMap): Promise<ValueMap> {
    return (await this.#create(type, name, inputs, "preview")).state;
  }

  create(type: string, name: string, inputs: ValueMap): Promise<Kept> {
    return this.#create(type, name, inputs, "create");
  }

  async diff(kept: Kept, inputs: ValueMap, ignoreChanges: readonly string[] = []): Promise<Difference> {
    const request = new DiffRequest();
    request.setUrn(this.urn(kept.type, kept.name));
    request.setId(kept.id);
    request.setOlds(encode(kept.state));
    request.setOldInputs(encode(kept.inputs));
    request.setNews(encode(inputs));
    request.setIgnorechangesList([...ignoreChanges]);
    const response = await this.#call(this.client.diff, request);
    const detailed: Record<string, string> = {};
    response.getDetaileddiffMap().forEach((one, path) => {
      detailed[path] = kindName(one.getKind());
    });
    return {
      changes: response.getChanges() === DiffResponse.DiffChanges.DIFF_SOME,
      detailed,
      replaces: response.getReplacesList(),
      deleteBeforeReplace: response.getDeletebeforereplace(),
      stables: response.getStablesList(),
    };
  }

  /** Outputs as far as a preview knows them. */
  previewUpdate(kept: Kept, inputs: ValueMap): Promise<ValueMap> {
    return this.#update(kept, inputs, "preview");
  }

  async update(kept: Kept, inputs: ValueMap): Promise<Kept> {
    return { ...kept, inputs, state: await this.#update(kept, inputs, "update") };
  }

  /** `undefined`: gone. */
  async read(kept: Kept): Promise<Kept | undefined> {
    return this.#read(kept.type, kept.name, kept.id, kept);
  }

  async import(type: string, name: string, id: string): Promise<Kept | undefined> {
    return this.#read(type, name, id, undefined);
  }

  async delete(kept: Kept): Promise<void> {
    const request = new DeleteRequest();
    request.setUrn(this.urn(kept.type, kept.name));
    request.setId(kept.id);
    request.setProperties(encode(kept.state));
    request.setOldInputs(encode(kept.inputs));
    await this.#call(this.client.delete, request);
  }

  /** What a function answers. Rejects with what is wrong about the arguments. */
  async invoke(name: string, args: ValueMap): Promise<ValueMap> {
    const request = new InvokeRequest();
    request.setTok(`dcx:index:${name}`);
    request.setArgs(encode(args));
    const response = await this.#call(this.client.invoke, request);
    const failures = response.getFailuresList().map((one) => one.getReason());
    if (failures.length > 0) {
      throw new Error(failures.join("\n"));
    }
    return decode(response.getReturn() ?? encode({}));
  }

  async #create(type: string, name: string, inputs: ValueMap, how: "preview" | "create"): Promise<Kept> {
    const request = new CreateRequest();
    request.setUrn(this.urn(type, name));
    request.setProperties(encode(inputs));
    request.setPreview(how === "preview");
    const response = await this.#call(this.client.create, request);
    return { type, name, id: response.getId(), inputs, state: decode(response.getProperties() ?? encode({})) };
  }

  async #update(kept: Kept, inputs: ValueMap, how: "preview" | "update"): Promise<ValueMap> {
    const request = new UpdateRequest();
    request.setUrn(this.urn(kept.type, kept.name));
    request.setId(kept.id);
    request.setOlds(encode(kept.state));
    request.setOldInputs(encode(kept.inputs));
    request.setNews(encode(inputs));
    request.setPreview(how === "preview");
    const response = await this.#call(this.client.update, request);
    return decode(response.getProperties() ?? encode({}));
  }

  async #read(type: string, name: string, id: string, kept: Kept | undefined): Promise<Kept | undefined> {
    const request = new ReadRequest();
    request.setUrn(this.urn(type, name));
    request.setId(id);
    if (kept !== undefined) {
      request.setInputs(encode(kept.inputs));
      request.setProperties(encode(kept.state));
    }
    const response = await this.#call(this.client.read, request);
    return response.getId() === ""
      ? undefined
      : {
          type,
          name,
          id: response.getId(),
          inputs: decode(response.getInputs() ?? encode({})),
          state: decode(response.getProperties() ?? encode({})),
        };
  }

  #call<Request, Response>(method: Method<Request, Response>, request: Request): Promise<Response> {
    return ask(this.client, method, request);
  }
}

function kindName(kind: PropertyDiff.Kind): string {
  return Object.entries(PropertyDiff.Kind).find(([, number]) => number === kind)?.[0] ?? String(kind);
}
