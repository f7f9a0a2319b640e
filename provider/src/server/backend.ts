import type { ProviderConfiguration } from "../configuration/configuration";
import type { CallContext, Resource } from "../resources/resource";
import type { ValueMap } from "../wire/value";

/** What the gRPC border dispatches to once the provider is configured. */
export interface Backend {
  /** By token, e.g. `dcx:index:Deployment`. */
  readonly resources: ReadonlyMap<string, Resource>;
  /** By token, e.g. `dcx:index:getDeployment`. */
  readonly functions: ReadonlyMap<string, ProviderFunction>;
}

export type ProviderFunction = (args: ValueMap, context: CallContext) => Promise<ValueMap>;

/** Makes the backend for a configuration. Loads whatever is not needed before that. */
export type LoadBackend = (configuration: ProviderConfiguration) => Promise<Backend>;
