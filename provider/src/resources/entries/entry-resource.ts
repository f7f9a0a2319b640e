import { entryKey, ManifestError } from "@dcx/protocol";
import type { ValueMap } from "../../wire/value";
import { type Differences, differences, diffResult } from "../differences";
import { containsSecret, containsUnknown, normalizeFields, Problems } from "../inputs/shape";
import type {
  CallContext,
  CheckRequest,
  CheckResult,
  CreateRequest,
  CreateResult,
  DeleteRequest,
  DiffRequest,
  DiffResult,
  ListPage,
  ListRequest,
  ReadRequest,
  ReadResult,
  Resource,
  UpdateRequest,
  UpdateResult,
} from "../resource";
import type { Session } from "../session";
import { declareEntry, targetOf } from "./declare-entry";
import { deleteEntry } from "./delete-entry";
import { entryDifferences } from "./diff-entry";
import { entryResourceId } from "./entry-id";
import type { EntryContent, EntryKindRules, EntryOperations } from "./entry-rules";
import { listEntries } from "./list-entries";
import { NONCE } from "./ownership";
import { previewEntry } from "./preview-entry";
import { readEntry } from "./read-entry";

/** A workload or a connection as a resource of its own: one entry of its deployment's manifest. */
export class EntryResource<Content extends EntryContent> implements Resource, EntryOperations<Content> {
  readonly token: string;
  readonly compared: EntryOperations<Content>["compared"] = new Map();

  constructor(
    readonly session: Session,
    readonly rules: EntryKindRules<Content>,
  ) {
    this.token = rules.token;
  }

  async check(request: CheckRequest, context: CallContext): Promise<CheckResult> {
    const problems = new Problems();
    const named = request.inputs["name"] === undefined ? { ...request.inputs, name: request.name } : request.inputs;
    const inputs = normalizeFields(named, this.rules.fields, "", problems);
    if (!this.session.driver.capabilities.separateResources) {
      problems.add(
        "deployment",
        `this network takes no ${this.rules.kind} of their own: declare them inline, in the deployment's \`${this.rules.kind}\``,
      );
    }
    if (problems.failures.length === 0 && !containsUnknown(inputs)) {
      this.#checkContent(inputs, problems);
    }
    const { name, deployment } = inputs;
    if (typeof name === "string") {
      this.session.declarations.declare(context.urn, typeof deployment === "string" ? deployment : undefined, [
        entryKey(this.rules.kind, name),
      ]);
    }
    return { inputs, failures: problems.failures };
  }

  async diff(request: DiffRequest, context: CallContext): Promise<DiffResult> {
    const { inputs, oldInputs, oldState } = request;
    const moved: Differences = {};
    for (const property of ["deployment", "name"]) {
      if (Object.keys(differences(oldInputs[property], inputs[property], property)).length > 0) {
        moved[property] = { kind: "update-replace", inputDiff: true };
      }
    }
    if (Object.keys(moved).length > 0) {
      return diffResult(moved, request.ignoreChanges, [], "delete-before-replace");
    }
    const detailed = await entryDifferences(this, request, context);
    const stables = ["deployment", "name"];
    return diffResult(
      detailed ?? differences(oldInputs, inputs, ""),
      request.ignoreChanges,
      oldState === undefined ? [] : stables,
      "delete-before-replace",
    );
  }

  list(request: ListRequest, context: CallContext): Promise<ListPage> {
    return listEntries(this.session, this.rules.kind, request, context);
  }

  async create(request: CreateRequest, context: CallContext): Promise<CreateResult> {
    const { inputs } = request;
    if (request.preview) {
      const state = await previewEntry(this, inputs, undefined, context);
      return { id: "", state };
    }
    const { id, name } = targetOf(inputs);
    return {
      id: entryResourceId(id, this.rules.kind, name),
      state: await declareEntry(this, { inputs, timeout: request.timeout, operation: "create" }, context),
    };
  }

  async update(request: UpdateRequest, context: CallContext): Promise<UpdateResult> {
    if (request.preview) {
      return { state: await previewEntry(this, request.inputs, request.oldState, context) };
    }
    const nonce = request.oldState[NONCE];
    const known = typeof nonce === "string" ? nonce : undefined;
    const { inputs, timeout } = request;
    return { state: await declareEntry(this, { inputs, timeout, operation: "update", nonce: known }, context) };
  }

  read(request: ReadRequest, context: CallContext): Promise<ReadResult> {
    return readEntry(this, request, context);
  }

  delete(request: DeleteRequest, context: CallContext): Promise<void> {
    return deleteEntry(this.session, this.rules.kind, request, context);
  }

  #checkContent(inputs: ValueMap, problems: Problems): void {
    try {
      this.rules.content(inputs);
    } catch (error) {
      if (!(error instanceof ManifestError)) {
        throw error;
      }
      for (const { path, message } of error.issues) {
        const add = (): void => problems.add(path === "" ? this.rules.kind.slice(0, -1) : path, message);
        if (containsSecret(inputs)) {
          problems.inSecret(add);
        } else {
          add();
        }
      }
    }
  }
}
