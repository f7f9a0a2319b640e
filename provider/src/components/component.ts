import type { Value, ValueMap } from "../wire/value";

/** What one component type does: it makes resources of its own from what a program gives it. */
export interface Component {
  /** e.g. `dcx:index:Application` */
  readonly token: string;
  /**
   * Registers the component's resources and returns its outputs.
   * @throws {ComponentError} where its inputs can't be right
   */
  construct(request: ComponentRequest, children: Children): Promise<ComponentResult>;
}

export interface ComponentRequest {
  readonly name: string;
  readonly inputs: ValueMap;
  /** URNs of the resources that each input comes from. */
  readonly dependencies: PropertyDependencies;
  /** Of the project: what `pulumi config` shows, by its whole key (`shop:databaseUrl`). Secrets are marked. */
  readonly configuration: Readonly<Record<string, Value>>;
  readonly project: string;
  readonly preview: boolean;
}

export type PropertyDependencies = Readonly<Record<string, readonly string[]>>;

export interface ComponentResult {
  readonly outputs: ValueMap;
  /** URNs of the resources that the outputs come from. */
  readonly dependencies: readonly string[];
  /** Whether a child failed: then the outputs that the state keeps stay as they were. */
  readonly unfinished: boolean;
}

/** A resource that belongs to a component. */
export interface Child {
  readonly token: string;
  readonly name: string;
  readonly inputs: ValueMap;
  readonly dependencies: PropertyDependencies;
}

export interface RegisteredChild {
  readonly urn: string;
  /** Empty in a preview of its creation. */
  readonly id: string;
  readonly outputs: ValueMap;
  /** It failed, or was skipped because another one had, and the engine goes on with the rest (`--continue-on-error`). */
  readonly failed: boolean;
}

/** Where a component registers its resources. Resolves once the engine has made them, or previewed that. */
export interface Children {
  register(child: Child): Promise<RegisteredChild>;
}

/** The inputs of a component can't be right: a sentence for whoever wrote them, without secrets. */
export class ComponentError extends Error {
  override readonly name = "ComponentError";
}
