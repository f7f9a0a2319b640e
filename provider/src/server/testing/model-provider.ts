import { createServer } from "node:net";
import { credentials, Metadata, status } from "@grpc/grpc-js";
import { ResourceProviderClient } from "@pulumi/pulumi/proto/provider_grpc_pb";
import {
  CheckRequest,
  ConfigureRequest,
  CreateRequest,
  DeleteRequest,
  DiffRequest,
  ErrorResourceInitFailed,
  ReadRequest,
  UpdateRequest,
} from "@pulumi/pulumi/proto/provider_pb";
import { Status } from "@pulumi/pulumi/proto/status_pb";
import type { NetworkDriver } from "../../network/driver";
import { resourcesOn } from "../../resources";
import { ask, listen, type Method } from "../../testing/grpc";
import { decode, encode } from "../../wire/codec";
import type { ValueMap } from "../../wire/value";
import { serve } from "../serve";

/** A resource as a state keeps it. */
export interface Kept {
  readonly id: string;
  readonly inputs: ValueMap;
  readonly state: ValueMap;
  /** Why it is not done, where it is not. */
  readonly reasons: readonly string[];
}

/**
 * The plugin on a network of a test, asked over gRPC as the engine asks it: what a resource is comes back as the engine
 * would keep it, of one that is not done too.
 */
export class ModelProvider implements AsyncDisposable {
  private constructor(
    readonly client: ResourceProviderClient,
    readonly stack: string,
    private readonly close: () => void,
  ) {}

  static async start(network: NetworkDriver, stack = "dev"): Promise<ModelProvider> {
    const provider = serve({
      version: "1.2.3",
      environment: { CI: "true" },
      load: async () => resourcesOn(network, { namespace: "", timeout: 5, skipAwait: false }),
      components: async () => new Map(),
      schema: async () => "{}",
    });
    const listener = createServer(provider.accept);
    const port = await listen(listener);
    const client = new ResourceProviderClient(`127.0.0.1:${port}`, credentials.createInsecure());
    const made = new ModelProvider(client, stack, () => {
      client.close();
      provider.close();
      listener.close();
    });
    const configure = new ConfigureRequest();
    configure.setArgs(encode({ network: "embedded" }));
    await made.call(client.configure, configure);
    return made;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.close();
  }

  call<Request, Response>(method: Method<Request, Response>, request: Request): Promise<Response> {
    return ask(this.client, method, request);
  }

  urn(type: string, name: string): string {
    return `urn:pulumi:${this.stack}::shop::dcx:index:${type}::${name}`;
  }

  /** Normal inputs; throws where they are refused. */
  async check(type: string, name: string, inputs: ValueMap): Promise<ValueMap> {
    const request = new CheckRequest();
    request.setUrn(this.urn(type, name));
    request.setName(name);
    request.setNews(encode(inputs));
    const response = await this.call(this.client.check, request);
    const failures = response.getFailuresList().map((one) => one.getReason());
    if (failures.length > 0) {
      throw new Error(failures.join("\n"));
    }
    return decode(response.getInputs() ?? encode({}));
  }

  async create(type: string, name: string, given: ValueMap, timeout = 0): Promise<Kept> {
    const inputs = await this.check(type, name, given);
    const request = new CreateRequest();
    request.setUrn(this.urn(type, name));
    request.setProperties(encode(inputs));
    request.setTimeout(timeout);
    return keptBy(inputs, async () => {
      const response = await this.call(this.client.create, request);
      return { id: response.getId(), inputs, state: decode(response.getProperties() ?? encode({})), reasons: [] };
    });
  }

  /** What `pulumi import` reads. */
  import(type: string, name: string, id: string): Promise<Kept | undefined> {
    const request = new ReadRequest();
    request.setUrn(this.urn(type, name));
    request.setId(id);
    return this.#read(request, {});
  }

  /** What a refresh reads; `undefined` where it takes the resource for gone. */
  read(type: string, name: string, kept: Kept): Promise<Kept | undefined> {
    const request = new ReadRequest();
    request.setUrn(this.urn(type, name));
    request.setId(kept.id);
    request.setInputs(encode(kept.inputs));
    request.setProperties(encode(kept.state));
    return this.#read(request, kept.inputs);
  }

  /** Paths that differ between what is there and these inputs. */
  async diff(type: string, name: string, kept: Kept, inputs: ValueMap = kept.inputs): Promise<readonly string[]> {
    const request = new DiffRequest();
    request.setUrn(this.urn(type, name));
    request.setId(kept.id);
    request.setOldInputs(encode(kept.inputs));
    request.setOlds(encode(kept.state));
    request.setNews(encode(inputs));
    const response = await this.call(this.client.diff, request);
    return [...response.getDetaileddiffMap().keys()].sort();
  }

  async update(
    type: string,
    name: string,
    kept: Kept,
    inputs: ValueMap = kept.inputs,
    { preview = false, timeout = 0 }: { readonly preview?: boolean; readonly timeout?: number } = {},
  ): Promise<Kept> {
    const request = new UpdateRequest();
    request.setUrn(this.urn(type, name));
    request.setId(kept.id);
    request.setOldInputs(encode(kept.inputs));
    request.setOlds(encode(kept.state));
    request.setNews(encode(inputs));
    request.setPreview(preview);
    request.setTimeout(timeout);
    return keptBy(inputs, async () => {
      const response = await this.call(this.client.update, request);
      return { id: kept.id, inputs, state: decode(response.getProperties() ?? encode({})), reasons: [] };
    });
  }

  async delete(type: string, name: string, kept: Kept): Promise<void> {
    const request = new DeleteRequest();
    request.setUrn(this.urn(type, name));
    request.setId(kept.id);
    request.setOldInputs(encode(kept.inputs));
    request.setProperties(encode(kept.state));
    await this.call(this.client.delete, request);
  }

  async #read(request: ReadRequest, inputs: ValueMap): Promise<Kept | undefined> {
    const kept = await keptBy(inputs, async () => {
      const response = await this.call(this.client.read, request);
      return {
        id: response.getId(),
        inputs: decode(response.getInputs() ?? encode({})),
        state: decode(response.getProperties() ?? encode({})),
        reasons: [],
      };
    });
    return kept.id === "" ? undefined : kept;
  }
}

/** As the engine does: what failed to initialize is kept, with the reasons. Everything else fails. */
async function keptBy(inputs: ValueMap, work: () => Promise<Kept>): Promise<Kept> {
  try {
    return await work();
  } catch (error) {
    const failure = initializationFailure(error);
    if (failure === undefined) {
      throw error;
    }
    return {
      id: failure.getId(),
      inputs: failure.hasInputs() ? decode(failure.getInputs() ?? encode({})) : inputs,
      state: decode(failure.getProperties() ?? encode({})),
      reasons: failure.getReasonsList(),
    };
  }
}

function initializationFailure(error: unknown): ErrorResourceInitFailed | undefined {
  if (!(error instanceof Error) || !("code" in error) || error.code !== status.UNKNOWN || !("metadata" in error)) {
    return undefined;
  }
  const { metadata } = error;
  const [bytes] = metadata instanceof Metadata ? metadata.get("grpc-status-details-bin") : [];
  const [any] = bytes === undefined ? [] : Status.deserializeBinary(Buffer.from(bytes)).getDetailsList();
  return any?.unpack(ErrorResourceInitFailed.deserializeBinary, "pulumirpc.ErrorResourceInitFailed") ?? undefined;
}
