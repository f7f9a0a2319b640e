import { status } from "@grpc/grpc-js";
import {
  type CheckRequest,
  CheckResponse,
  type CreateRequest,
  CreateResponse,
  type DeleteRequest,
  type DiffRequest,
  type DiffResponse,
  type InvokeRequest,
  InvokeResponse,
  type ReadRequest,
  ReadResponse,
  type UpdateRequest,
  UpdateResponse,
  CheckFailure as WireFailure,
} from "@pulumi/pulumi/proto/provider_pb";
import { Empty } from "google-protobuf/google/protobuf/empty_pb";
import { Struct } from "google-protobuf/google/protobuf/struct_pb";
import { type CallContext, type CheckFailure, InvalidArguments, type Resource } from "../resources/resource";
import { decode, decodeOptional, encode } from "../wire/codec";
import { rootOf } from "../wire/path";
import { Secret, type Value, type ValueMap } from "../wire/value";
import type { Backend, ProviderFunction } from "./backend";
import { diffResponse } from "./diff-response";
import { RequestError } from "./errors";

/** The backend, once the provider is configured; rejects where it is not or could not be. */
export type CurrentBackend = () => Promise<Backend>;

/** The requests about single resources: each decodes, asks the resource of that type, and encodes. */
export class ResourceCalls {
  constructor(readonly backend: CurrentBackend) {}

  async check(request: CheckRequest, context: CallContext): Promise<CheckResponse> {
    const resource = await this.#resource(context.urn);
    const news = required(request.getNews());
    const { inputs, failures } = await resource.check(
      { inputs: news, oldInputs: decodeOptional(request.getOlds()), name: request.getName() || nameOf(context.urn) },
      context,
    );
    const response = new CheckResponse();
    response.setInputs(encode(inputs));
    response.setFailuresList(wireFailures(failures, news));
    return response;
  }

  async diff(request: DiffRequest, context: CallContext): Promise<DiffResponse> {
    const resource = await this.#resource(context.urn);
    return diffResponse(
      await resource.diff(
        {
          id: request.getId(),
          inputs: required(request.getNews()),
          oldInputs: required(request.getOldInputs()),
          oldState: required(request.getOlds()),
          ignoreChanges: request.getIgnorechangesList(),
        },
        context,
      ),
    );
  }

  async create(request: CreateRequest, context: CallContext): Promise<CreateResponse> {
    const resource = await this.#resource(context.urn);
    const { id, state } = await resource.create(
      {
        inputs: required(request.getProperties()),
        preview: request.getPreview(),
        timeout: request.getTimeout(),
      },
      context,
    );
    const response = new CreateResponse();
    response.setId(id);
    response.setProperties(encode(state));
    response.setRefreshBeforeUpdate(true);
    return response;
  }

  async read(request: ReadRequest, context: CallContext): Promise<ReadResponse> {
    const resource = await this.#resource(context.urn);
    const result = await resource.read(
      // An import has neither; the engine sends nothing or empty ones, depending on its version.
      { id: request.getId(), inputs: nonEmpty(request.getInputs()), state: nonEmpty(request.getProperties()) },
      context,
    );
    const response = new ReadResponse();
    if (result !== undefined) {
      response.setId(result.id);
      response.setInputs(encode(result.inputs));
      response.setProperties(encode(result.state));
      response.setRefreshBeforeUpdate(true);
    }
    return response;
  }

  async update(request: UpdateRequest, context: CallContext): Promise<UpdateResponse> {
    const resource = await this.#resource(context.urn);
    const { state } = await resource.update(
      {
        id: request.getId(),
        inputs: required(request.getNews()),
        oldInputs: required(request.getOldInputs()),
        oldState: required(request.getOlds()),
        preview: request.getPreview(),
        timeout: request.getTimeout(),
        ignoreChanges: request.getIgnorechangesList(),
      },
      context,
    );
    const response = new UpdateResponse();
    response.setProperties(encode(state));
    response.setRefreshBeforeUpdate(true);
    return response;
  }

  async delete(request: DeleteRequest, context: CallContext): Promise<Empty> {
    const resource = await this.#resource(context.urn);
    await resource.delete(
      {
        id: request.getId(),
        oldInputs: required(request.getOldInputs()),
        oldState: required(request.getProperties()),
        timeout: request.getTimeout(),
      },
      context,
    );
    return new Empty();
  }

  async invoke(request: InvokeRequest, context: CallContext): Promise<InvokeResponse> {
    const invoke = await this.#function(request.getTok());
    const args = required(request.getArgs());
    const response = new InvokeResponse();
    try {
      response.setReturn(encode(await invoke(args, context)));
    } catch (error) {
      if (!(error instanceof InvalidArguments)) {
        throw error;
      }
      response.setFailuresList(wireFailures(error.failures, args));
    }
    return response;
  }

  async #resource(urn: string): Promise<Resource> {
    const { resources } = await this.backend();
    return find(resources, typeOf(urn), "resource type");
  }

  async #function(token: string): Promise<ProviderFunction> {
    const { functions } = await this.backend();
    return find(functions, token, "function");
  }
}

/**
 * Failures for the engine, which prints the whole value of the property that one names: none is named that is or
 * holds a secret.
 */
export function wireFailures(failures: readonly CheckFailure[], inputs: ValueMap): WireFailure[] {
  return failures.map(({ property, reason }) => {
    const hidden = property !== "" && containsSecret(inputs[rootOf(property)] ?? null);
    const failure = new WireFailure();
    failure.setProperty(hidden ? "" : property);
    failure.setReason(hidden && !reason.startsWith(property) ? `${property}: ${reason}` : reason);
    return failure;
  });
}

function find<T>(entries: ReadonlyMap<string, T>, token: string, kind: string): T {
  const entry = entries.get(token);
  if (entry === undefined) {
    const known = [...entries.keys()].join(", ") || "none";
    throw new RequestError(
      status.UNIMPLEMENTED,
      `this version of the dcx plugin has no ${kind} ${token}; there are: ${known}. ` +
        "If the SDK is newer than the plugin, install the plugin of the SDK's version.",
    );
  }
  return entry;
}

/** `urn:pulumi:<stack>::<project>::<parent type$…$type>::<name>` */
function typeOf(urn: string): string {
  return urn.split("::")[2]?.split("$").at(-1) ?? "";
}

function nameOf(urn: string): string {
  return urn.split("::").slice(3).join("::");
}

function required(struct: Struct | undefined): ValueMap {
  return decode(struct ?? new Struct());
}

function nonEmpty(struct: Struct | undefined): ValueMap | undefined {
  return struct === undefined || struct.getFieldsMap().getLength() === 0 ? undefined : decode(struct);
}

function containsSecret(value: Value): boolean {
  if (value instanceof Secret) {
    return true;
  }
  return typeof value === "object" && value !== null && Object.values(value).some(containsSecret);
}
