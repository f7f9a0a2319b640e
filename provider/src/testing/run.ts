import type { ServiceError } from "@grpc/grpc-js";
import { status } from "@grpc/grpc-js";
import {
  CheckRequest,
  CreateRequest,
  DeleteRequest,
  DiffRequest,
  DiffResponse,
  ErrorResourceInitFailed,
  ReadRequest,
  UpdateRequest,
} from "@pulumi/pulumi/proto/provider_pb";
import { Status } from "@pulumi/pulumi/proto/status_pb";
import { decode, encode } from "../wire/codec";
import { Unknown, type ValueMap } from "../wire/value";
import type { Plugin } from "./plugin";
import type { Declared, Made, Program } from "./program";
import type { Slots } from "./slots";

/** What a stack's state keeps of a resource. */
export interface Kept {
  readonly declared: Declared;
  readonly id: string;
  readonly inputs: ValueMap;
  readonly outputs: ValueMap;
  readonly initErrors: readonly string[];
}

export type Operation = "create" | "update" | "replace" | "delete" | "same";

export interface Step {
  readonly name: string;
  readonly operation: Operation;
  /** Paths that differ, with the kind of difference. */
  readonly diffs: Readonly<Record<string, string>>;
  /** Properties after it, as a preview foretells or an update answers them. */
  readonly outputs: ValueMap;
}

/** The state of a stack, as one operation finds and leaves it. */
export interface State {
  readonly kept: Map<string, Kept>;
  /** What was replaced and is still to be deleted; an operation that is killed leaves it to the next one. */
  readonly replaced: (readonly [name: string, kept: Kept])[];
  urn(name: string, type: string): string;
}

export interface UpChoice {
  readonly preview: boolean;
  readonly replace: ReadonlySet<string>;
  readonly beforeDeletes?: (() => void) | undefined;
}

/** One operation on a stack, with one plugin. */
export class Run {
  readonly steps: Step[] = [];
  readonly failures: Record<string, string> = {};

  constructor(
    readonly stack: State,
    readonly plugin: Plugin,
    readonly slots: Slots,
  ) {}

  async up(program: Program, options: UpChoice): Promise<void> {
    const made = new Map<string, Promise<Made | undefined>>();
    for (const [name, declared] of Object.entries(program)) {
      const work = async (): Promise<Made | undefined> => {
        const before = new Map<string, Made>();
        for (const other of declared.after) {
          const one = await made.get(other);
          if (one === undefined) {
            return undefined;
          }
          before.set(other, one);
        }
        const of = (other: string): Made => before.get(other) ?? { id: Unknown.instance, outputs: {} };
        return this.slots.run(() => this.#settle(name, declared, of, options));
      };
      made.set(name, work());
    }
    await Promise.all(made.values());
    if (Object.keys(this.failures).length > 0) {
      return;
    }
    const gone = [...this.stack.kept].filter(([name]) => program[name] === undefined);
    options.beforeDeletes?.();
    await this.#deleteAll([...gone, ...this.stack.replaced], options.preview);
  }

  async refresh(): Promise<void> {
    await Promise.all(
      [...this.stack.kept].map(([name, kept]) => this.slots.run(() => this.#guard(name, () => this.#read(name, kept)))),
    );
  }

  async #settle(
    name: string,
    declared: Declared,
    of: (name: string) => Made,
    options: UpChoice,
  ): Promise<Made | undefined> {
    // As the engine does, nothing is begun any more once something has failed.
    if (Object.keys(this.failures).length > 0) {
      return undefined;
    }
    return this.#guard(name, async () => {
      const { preview } = options;
      const known = this.stack.kept.get(name);
      const inputs = await this.#check(name, declared, declared.inputs(of), known);
      const old = known === undefined ? undefined : await this.#read(name, known);
      if (old === undefined) {
        return this.#create(name, declared, inputs, preview, "create", {});
      }
      const difference = await this.#diff(name, old, inputs);
      if (options.replace.has(name) || difference.replaces.length > 0) {
        if (difference.deleteBeforeReplace && !preview) {
          await this.#delete(name, old);
          this.stack.kept.delete(name);
        }
        const made = await this.#create(name, declared, inputs, preview, "replace", difference.detailed);
        if (!difference.deleteBeforeReplace && !preview) {
          this.stack.replaced.push([name, old]);
        }
        return made;
      }
      if (Object.keys(difference.detailed).length > 0 || old.initErrors.length > 0) {
        return this.#update(name, declared, old, inputs, preview, difference.detailed);
      }
      return { id: old.id, outputs: old.outputs };
    });
  }

  async #check(name: string, { type }: Declared, news: ValueMap, known: Kept | undefined): Promise<ValueMap> {
    const request = new CheckRequest();
    request.setUrn(this.stack.urn(name, type));
    request.setName(name);
    request.setNews(encode(news));
    if (known !== undefined) {
      request.setOlds(encode(known.inputs));
    }
    const response = await this.plugin.call(this.plugin.client.check, request);
    const failures = response.getFailuresList().map((one) => `${one.getProperty()}: ${one.getReason()}`);
    if (failures.length > 0) {
      throw new Error(failures.join("\n"));
    }
    return decode(response.getInputs() ?? encode({}));
  }

  /** What is there now, kept; `undefined`: it is gone. */
  async #read(name: string, kept: Kept): Promise<Kept | undefined> {
    const request = new ReadRequest();
    request.setUrn(this.stack.urn(name, kept.declared.type));
    request.setId(kept.id);
    request.setInputs(encode(kept.inputs));
    request.setProperties(encode(kept.outputs));
    const now = await this.#initialized(name, kept.declared, async () => {
      const response = await this.plugin.call(this.plugin.client.read, request);
      return response.getId() === ""
        ? undefined
        : {
            declared: kept.declared,
            id: response.getId(),
            inputs: decode(response.getInputs() ?? encode({})),
            outputs: decode(response.getProperties() ?? encode({})),
            initErrors: [],
          };
    });
    if (now.kept === undefined) {
      this.stack.kept.delete(name);
      return undefined;
    }
    this.stack.kept.set(name, now.kept);
    return now.kept;
  }

  async #diff(name: string, old: Kept, inputs: ValueMap) {
    const request = new DiffRequest();
    request.setUrn(this.stack.urn(name, old.declared.type));
    request.setId(old.id);
    request.setOlds(encode(old.outputs));
    request.setOldInputs(encode(old.inputs));
    request.setNews(encode(inputs));
    const response = await this.plugin.call(this.plugin.client.diff, request);
    const detailed: Record<string, string> = {};
    response.getDetaileddiffMap().forEach((difference, path) => {
      detailed[path] = String(difference.getKind());
    });
    const changed = response.getChanges() === DiffResponse.DiffChanges.DIFF_SOME;
    return {
      detailed: changed ? detailed : {},
      replaces: response.getReplacesList(),
      deleteBeforeReplace: response.getDeletebeforereplace(),
    };
  }

  async #create(
    name: string,
    declared: Declared,
    inputs: ValueMap,
    preview: boolean,
    operation: Operation,
    diffs: Readonly<Record<string, string>>,
  ): Promise<Made> {
    const request = new CreateRequest();
    request.setUrn(this.stack.urn(name, declared.type));
    request.setProperties(encode(inputs));
    request.setPreview(preview);
    request.setTimeout(declared.timeout ?? 0);
    const { kept, failure } = await this.#initialized(name, declared, async () => {
      const response = await this.plugin.call(this.plugin.client.create, request);
      const outputs = decode(response.getProperties() ?? encode({}));
      return { declared, id: response.getId(), inputs, outputs, initErrors: [] };
    });
    return this.#finish(name, operation, diffs, kept, failure, preview);
  }

  async #update(
    name: string,
    declared: Declared,
    old: Kept,
    inputs: ValueMap,
    preview: boolean,
    diffs: Readonly<Record<string, string>>,
  ): Promise<Made> {
    const request = new UpdateRequest();
    request.setUrn(this.stack.urn(name, declared.type));
    request.setId(old.id);
    request.setOlds(encode(old.outputs));
    request.setOldInputs(encode(old.inputs));
    request.setNews(encode(inputs));
    request.setPreview(preview);
    request.setTimeout(declared.timeout ?? 0);
    const { kept, failure } = await this.#initialized(name, declared, async () => {
      const response = await this.plugin.call(this.plugin.client.update, request);
      const outputs = decode(response.getProperties() ?? encode({}));
      return { declared, id: old.id, inputs, outputs, initErrors: [] };
    });
    return this.#finish(name, "update", diffs, kept, failure, preview);
  }

  #finish(
    name: string,
    operation: Operation,
    diffs: Readonly<Record<string, string>>,
    kept: Kept | undefined,
    failure: Error | undefined,
    preview: boolean,
  ): Made {
    if (kept !== undefined && !preview) {
      this.stack.kept.set(name, kept);
    }
    if (failure !== undefined) {
      throw failure;
    }
    const outputs = kept?.outputs ?? {};
    this.steps.push({ name, operation, diffs, outputs });
    return { id: kept?.id || Unknown.instance, outputs };
  }

  async #deleteAll(resources: readonly (readonly [string, Kept])[], preview: boolean): Promise<void> {
    const left = new Set(resources.map(([name]) => name));
    while (left.size > 0 && Object.keys(this.failures).length === 0) {
      // Those that nothing refers to any more.
      const free = resources.filter(
        ([name]) =>
          left.has(name) &&
          !resources.some(([other, { declared }]) => left.has(other) && declared.after.includes(name)),
      );
      await Promise.all(
        free.map(([name, kept]) =>
          this.slots.run(() =>
            this.#guard(name, async () => {
              const successor = this.stack.kept.get(name);
              const now = preview || successor !== kept ? kept : await this.#read(name, kept);
              if (!preview && now !== undefined) {
                await this.#delete(name, now);
              }
              const pending = this.stack.replaced.findIndex(([, replaced]) => replaced === kept);
              if (!preview && pending >= 0) {
                this.stack.replaced.splice(pending, 1);
              }
              if (!preview && successor === kept) {
                this.stack.kept.delete(name);
              }
              this.steps.push({ name, operation: "delete", diffs: {}, outputs: {} });
            }),
          ),
        ),
      );
      for (const [name] of free) {
        left.delete(name);
      }
    }
  }

  async #delete(name: string, kept: Kept): Promise<void> {
    const request = new DeleteRequest();
    request.setUrn(this.stack.urn(name, kept.declared.type));
    request.setId(kept.id);
    request.setProperties(encode(kept.outputs));
    request.setOldInputs(encode(kept.inputs));
    await this.plugin.call(this.plugin.client.delete, request);
  }

  /** What an answer, or a failed initialization, leaves in the state. */
  async #initialized(
    name: string,
    declared: Declared,
    ask: () => Promise<Kept | undefined>,
  ): Promise<{ readonly kept: Kept | undefined; readonly failure?: Error }> {
    try {
      return { kept: await ask() };
    } catch (error) {
      const failed = initializationFailure(error);
      if (failed === undefined) {
        throw error;
      }
      const initErrors = failed.getReasonsList();
      const old = this.stack.kept.get(name);
      const kept = {
        declared,
        id: failed.getId(),
        inputs: failed.getInputs() === undefined ? (old?.inputs ?? {}) : decode(failed.getInputs() ?? encode({})),
        outputs: decode(failed.getProperties() ?? encode({})),
        initErrors,
      };
      return { kept, failure: new Error(initErrors.join("\n")) };
    }
  }

  async #guard<T>(name: string, work: () => Promise<T>): Promise<T | undefined> {
    try {
      return await work();
    } catch (error) {
      this.failures[name] = error instanceof Error ? error.message : String(error);
      return undefined;
    }
  }
}

function initializationFailure(error: unknown): ErrorResourceInitFailed | undefined {
  const { code, metadata } = error as Partial<ServiceError>;
  if (code !== status.UNKNOWN || metadata === undefined) {
    return undefined;
  }
  const [bytes] = metadata.get("grpc-status-details-bin");
  const [any] = Status.deserializeBinary(Buffer.from(bytes ?? "")).getDetailsList();
  return any?.unpack(ErrorResourceInitFailed.deserializeBinary, "pulumirpc.ErrorResourceInitFailed") ?? undefined;
}
