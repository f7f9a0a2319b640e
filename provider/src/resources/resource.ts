import type { ValueMap } from "../wire/value";

/** What one resource type does. The server decodes requests into these and encodes what comes back. */
export interface Resource {
  /** e.g. `dcx:index:Deployment` */
  readonly token: string;
  check(request: CheckRequest, context: CallContext): Promise<CheckResult>;
  diff(request: DiffRequest, context: CallContext): Promise<DiffResult>;
  create(request: CreateRequest, context: CallContext): Promise<CreateResult>;
  read(request: ReadRequest, context: CallContext): Promise<ReadResult>;
  update(request: UpdateRequest, context: CallContext): Promise<UpdateResult>;
  delete(request: DeleteRequest, context: CallContext): Promise<void>;
  /** Absent: nobody can tell which there are. */
  list?(request: ListRequest, context: CallContext): Promise<ListPage>;
}

export interface CallContext {
  readonly urn: string;
  /** Aborted by Cancel, by the request's timeout, and when the engine goes away. */
  readonly signal: AbortSignal;
  /** A line that the engine shows beside the resource and replaces by the next. */
  status(message: string): void;
  log(severity: "debug" | "info" | "warning" | "error", message: string): void;
}

export interface CheckRequest {
  readonly inputs: ValueMap;
  readonly oldInputs: ValueMap | undefined;
  readonly name: string;
}
export interface CheckFailure {
  /** Empty where the property is or may hold a secret: the engine prints its value otherwise. */
  readonly property: string;
  readonly reason: string;
}
export interface CheckResult {
  readonly inputs: ValueMap;
  readonly failures: readonly CheckFailure[];
}

export interface DiffRequest {
  readonly id: string;
  readonly inputs: ValueMap;
  readonly oldInputs: ValueMap;
  readonly oldState: ValueMap;
  readonly ignoreChanges: readonly string[];
}
export type DiffKind = "add" | "add-replace" | "delete" | "delete-replace" | "update" | "update-replace";
export interface DiffResult {
  /** By property path, e.g. `infrastructures.west.resources[0].count`. Empty: no change. */
  readonly detailed: Readonly<Record<string, { readonly kind: DiffKind; readonly inputDiff: boolean }>>;
  readonly deleteBeforeReplace: boolean;
  /** Outputs that no change of these inputs can change. */
  readonly stables: readonly string[];
}

export interface CreateRequest {
  readonly inputs: ValueMap;
  readonly preview: boolean;
  /** Seconds; 0: the default. */
  readonly timeout: number;
}
export interface CreateResult {
  /** Empty in a preview. */
  readonly id: string;
  readonly state: ValueMap;
}

export interface UpdateRequest {
  readonly id: string;
  readonly inputs: ValueMap;
  readonly oldInputs: ValueMap;
  readonly oldState: ValueMap;
  readonly preview: boolean;
  readonly timeout: number;
  readonly ignoreChanges: readonly string[];
}
export interface UpdateResult {
  readonly state: ValueMap;
}

export interface ReadRequest {
  readonly id: string;
  /** Both absent: an import. */
  readonly inputs: ValueMap | undefined;
  readonly state: ValueMap | undefined;
}
/** `undefined`: proven to be gone. Unreachable is an error. */
export type ReadResult = { readonly id: string; readonly inputs: ValueMap; readonly state: ValueMap } | undefined;

export interface ListRequest {
  /** What the type's `listInputs` offer; without unknowns. */
  readonly query: ValueMap;
  /** Of the page before; absent: the first page. */
  readonly after: string | undefined;
  /** The most that this page may hold; at least 1. */
  readonly size: number;
}
export interface ListPage {
  /** Ids that can be imported, with a name where the resource has one. */
  readonly found: readonly { readonly id: string; readonly name: string }[];
  /** Where the next page begins; absent: there is none. */
  readonly next: string | undefined;
}

export interface DeleteRequest {
  readonly id: string;
  readonly oldInputs: ValueMap;
  readonly oldState: ValueMap;
  readonly timeout: number;
}

/**
 * Thrown by create, update and read when the resource exists but is not what it should be: the engine keeps the id
 * and the state, shows the reasons, and calls update on the next `up`.
 */
export class PartialFailure extends Error {
  constructor(
    readonly id: string,
    readonly state: ValueMap,
    readonly reasons: readonly string[],
    readonly inputs?: ValueMap,
  ) {
    super(reasons.join("\n"));
    this.name = "PartialFailure";
  }
}

/** Arguments that a function can't be called with: what is wrong with each. Never quotes a secret. */
export class InvalidArguments extends Error {
  constructor(
    /** e.g. `dcx:index:getQuote` */
    token: string,
    readonly failures: readonly CheckFailure[],
  ) {
    super(`${token} can't be called like that:\n${failures.map(({ reason }) => `  ${reason}`).join("\n")}`);
    this.name = "InvalidArguments";
  }
}
