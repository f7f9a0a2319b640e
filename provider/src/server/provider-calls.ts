import { status } from "@grpc/grpc-js";
import type { PluginAttach } from "@pulumi/pulumi/proto/plugin_pb";
import { PluginInfo } from "@pulumi/pulumi/proto/plugin_pb";
import {
  type CheckRequest,
  CheckResponse,
  type ConfigureRequest,
  ConfigureResponse,
  type DiffRequest,
  type DiffResponse,
  GetMappingResponse,
  GetMappingsResponse,
  type GetSchemaRequest,
  GetSchemaResponse,
  type ProviderHandshakeRequest,
  ProviderHandshakeResponse,
} from "@pulumi/pulumi/proto/provider_pb";
import { Empty } from "google-protobuf/google/protobuf/empty_pb";
import { Struct } from "google-protobuf/google/protobuf/struct_pb";
import type { Component } from "../components/component";
import type { Trace } from "../network/trace";
import type { DiffResult } from "../resources/resource";
import { decode, encode } from "../wire/codec";
import type { ValueMap } from "../wire/value";
import type { Backend, LoadBackend } from "./backend";
import type { Cancellation } from "./cancellation";
import { diffResponse } from "./diff-response";
import type { EngineLog } from "./engine-log";
import { RequestError } from "./errors";
import { wireFailures } from "./resource-calls";

export interface ProviderSettings {
  readonly version: string;
  readonly environment: NodeJS.ProcessEnv;
  readonly load: LoadBackend;
  readonly schema: () => Promise<string>;
  /** Component types by token. */
  readonly components: () => Promise<ReadonlyMap<string, Component>>;
  /** Told how long each request awaited the network. */
  readonly trace?: Trace | undefined;
}

/**
 * The requests about the provider itself: who it is, how it is configured, when it is to stop.
 *
 * An engine starts a process more for each time that it wants a schema; only what is configured loads what reads a
 * configuration.
 */
export class ProviderCalls {
  #backend: Promise<Backend> | undefined;
  #reference = "";

  constructor(
    readonly settings: ProviderSettings,
    readonly cancellation: Cancellation,
    readonly log: EngineLog,
  ) {}

  /** Rejects where the provider has not been configured. */
  async backend(): Promise<Backend> {
    if (this.#backend === undefined) {
      throw new RequestError(
        status.FAILED_PRECONDITION,
        "the dcx provider is not configured yet: its configuration depends on something that is not known in a preview",
      );
    }
    return this.#backend;
  }

  /** How the engine calls the provider that this process is; "" where it has not said. */
  get reference(): string {
    return this.#reference;
  }

  handshake(request: ProviderHandshakeRequest): ProviderHandshakeResponse {
    this.#begin(request.getEngineAddress());
    const response = new ProviderHandshakeResponse();
    response.setAcceptSecrets(true);
    response.setAcceptResources(true);
    response.setAcceptOutputs(false);
    response.setSupportsAutonamingConfiguration(false);
    return response;
  }

  attach(request: PluginAttach): Empty {
    this.#begin(request.getAddress());
    return new Empty();
  }

  /** Comes at a person's ^C, and from newer engines at each ordinary end too: nothing is worth a message. */
  cancel(): Empty {
    this.cancellation.abort("cancelled");
    return new Empty();
  }

  getPluginInfo(): PluginInfo {
    const info = new PluginInfo();
    info.setVersion(this.settings.version);
    return info;
  }

  async getSchema(request: GetSchemaRequest): Promise<GetSchemaResponse> {
    if (request.getVersion() !== 0) {
      throw new RequestError(status.INVALID_ARGUMENT, `dcx has no schema in format version ${request.getVersion()}`);
    }
    const response = new GetSchemaResponse();
    response.setSchema(await this.settings.schema());
    return response;
  }

  async checkConfig(request: CheckRequest): Promise<CheckResponse> {
    const { checkConfiguration } = await import("../configuration/check.js");
    const news = decode(request.getNews() ?? new Struct());
    const { inputs, failures } = checkConfiguration(news, this.settings.environment);
    const response = new CheckResponse();
    response.setInputs(encode(inputs));
    response.setFailuresList(wireFailures(failures, inputs));
    return response;
  }

  async diffConfig(request: DiffRequest): Promise<DiffResponse> {
    const { diffConfiguration } = await import("../configuration/check.js");
    const olds = decode(request.getOldInputs() ?? request.getOlds() ?? new Struct());
    const { changed, replacing } = diffConfiguration(olds, decode(request.getNews() ?? new Struct()));
    const detailed: DiffResult["detailed"] = Object.fromEntries([
      ...changed.map((key) => [key, { kind: "update", inputDiff: true }] as const),
      ...replacing.map((key) => [key, { kind: "update-replace", inputDiff: true }] as const),
    ]);
    return diffResponse({ detailed, deleteBeforeReplace: false, stables: [] });
  }

  async configure(request: ConfigureRequest): Promise<ConfigureResponse> {
    const inputs: ValueMap = decode(request.getArgs() ?? new Struct());
    this.#backend = undefined;
    const { isUndetermined, resolveConfiguration } = await import("../configuration/resolve.js");
    const [urn, id] = [request.getUrn() ?? "", request.getId() ?? ""];
    this.#reference = urn === "" || id === "" ? "" : `${urn}::${id}`;
    if (!isUndetermined(inputs)) {
      const configuration = resolveConfiguration(inputs, this.settings.environment);
      this.#backend = this.settings.load(configuration);
      // Whoever asks for it gets the rejection; until then it is nobody's failure.
      this.#backend.catch(() => {});
    }
    const response = new ConfigureResponse();
    response.setAcceptsecrets(true);
    response.setAcceptresources(true);
    response.setAcceptoutputs(false);
    response.setSupportspreview(true);
    response.setSupportsAutonamingConfiguration(false);
    return response;
  }

  getMapping(): GetMappingResponse {
    return new GetMappingResponse();
  }

  getMappings(): GetMappingsResponse {
    return new GetMappingsResponse();
  }

  #begin(engineAddress: string): void {
    this.cancellation.reset();
    this.log.connect(engineAddress);
  }
}
