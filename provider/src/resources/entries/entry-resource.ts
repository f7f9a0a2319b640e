import {
  entryDigest,
  entryKey,
  formatTokens,
  type Manifest,
  type ManifestConnection,
  ManifestError,
  type ManifestWorkload,
  newStamp,
  type Stamp,
  stampOf,
} from "@dcx/protocol";
import { idle } from "../../await/holder-watch";
import { Deadline, spanText, WaitCancelled, WaitFailed, WaitTimeout } from "../../await/wait";
import type { WantedImage } from "../../images/tag-resolver";
import { type DeploymentKey, NetworkError } from "../../network/driver";
import type { ActualDeployment, Snapshot } from "../../network/snapshot";
import type { Digests } from "../../plan/describe-entries";
import { openManifest } from "../../plan/manifest";
import { Unknown, type Value, type ValueMap } from "../../wire/value";
import type { Change, Draft, Waiting } from "../commit/change";
import { ChangedByAnother, MissingEntry } from "../commit/errors";
import type { Committed } from "../commit/group-commit";
import { findManifest, lookAt } from "../current-manifest";
import { type Differences, differences, diffResult } from "../differences";
import { deploymentId, keyOf, whereabouts } from "../identity";
import { importMark, withLocal } from "../imported";
import { containsSecret, containsUnknown, type Field, normalizeFields, Problems } from "../inputs/shape";
import {
  type CallContext,
  type CheckRequest,
  type CheckResult,
  type CreateRequest,
  type CreateResult,
  type DeleteRequest,
  type DiffRequest,
  type DiffResult,
  type ListPage,
  type ListRequest,
  PartialFailure,
  type ReadRequest,
  type ReadResult,
  type Resource,
  type UpdateRequest,
  type UpdateResult,
} from "../resource";
import type { Session } from "../session";
import { withoutEntry } from "./entry";
import { entryResourceId, parseEntryId } from "./entry-id";
import { listEntries } from "./list-entries";
import { mayDeclare, NONCE } from "./ownership";

/** Seconds that a delete goes on asking holders that do not answer, before it leaves the entry to the deployment. */
const UNREACHABLE_PATIENCE = 10;

export type EntryContent = ManifestWorkload | ManifestConnection;

/** What is particular about one kind of entry. */
export interface EntryKindRules<Content extends EntryContent> {
  readonly token: string;
  readonly kind: "workloads" | "connections";
  readonly fields: Readonly<Record<string, Field>>;
  /** @throws {ManifestError} */
  content(inputs: ValueMap): Content;
  find(manifest: Manifest, name: string): Content | undefined;
  inputs(content: Content, marks: ValueMap | undefined): ValueMap;
  place(draft: Draft, name: string, content: Content, stamp: Stamp, isNew: boolean): Draft;
  /** What has to be there before this entry can be declared. */
  waitsFor(content: Content, draft: Draft, deployment: ActualDeployment): string | undefined;
  /** Waits until it is done, and returns the outputs that only this tells. */
  arrive(session: Session, entry: ArrivingEntry<Content>, deadline: Deadline, context: CallContext): Promise<ValueMap>;
  /** Outputs as far as they follow from the content alone, for previews. */
  foretell(content: Content, oldState: ValueMap | undefined): ValueMap;
  /** Outputs of an entry that is there, read without waiting. */
  observe(
    session: Session,
    entry: ArrivingEntry<Content>,
    oldState: ValueMap | undefined,
    signal: AbortSignal,
  ): Promise<ValueMap>;
  /**
   * What an entry that is there lacks of being done, told without waiting; nothing where nobody can tell, and nothing
   * where it was done and its datacenter is only about to bring it up to date.
   */
  lacks(
    session: Session,
    entry: ArrivingEntry<Content>,
    oldState: ValueMap | undefined,
    signal: AbortSignal,
  ): Promise<string | undefined>;
  describe(before: Content | undefined, after: Content, digests: Digests): string;
  /** Images that it runs. */
  images(content: Content): readonly WantedImage[];
}

export interface ArrivingEntry<Content extends EntryContent> {
  readonly id: string;
  readonly deploymentId: string;
  readonly deployment: DeploymentKey;
  readonly name: string;
  readonly content: Content;
  readonly digest: string;
  readonly inputs: ValueMap;
  readonly manifest: Manifest;
  readonly snapshot: Snapshot;
}

/** A workload or a connection as a resource of its own: one entry of its deployment's manifest. */
export class EntryResource<Content extends EntryContent> implements Resource {
  readonly token: string;
  /** Entries as the diffs of this process saw them, by URN: as `Session.compared`. */
  readonly #compared = new Map<
    string,
    { readonly deployment: ActualDeployment; readonly content: Content | undefined }
  >();

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
    const detailed = await this.#differences(request, context);
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
      const state = await this.#preview(inputs, undefined, context);
      return { id: "", state };
    }
    const { id, name } = this.#target(inputs);
    return {
      id: entryResourceId(id, this.rules.kind, name),
      state: await this.#declare(inputs, request.timeout, "create", context),
    };
  }

  async update(request: UpdateRequest, context: CallContext): Promise<UpdateResult> {
    if (request.preview) {
      return { state: await this.#preview(request.inputs, request.oldState, context) };
    }
    const nonce = request.oldState[NONCE];
    const known = typeof nonce === "string" ? nonce : undefined;
    return { state: await this.#declare(request.inputs, request.timeout, "update", context, known) };
  }

  async read(request: ReadRequest, context: CallContext): Promise<ReadResult> {
    const { deployment, name } = parseEntryId(request.id, this.rules.kind);
    const id = deploymentId(deployment);
    const { signal } = context;
    if ((await whereabouts(this.session, id, signal)) === "gone") {
      return undefined;
    }
    const imported = request.inputs === undefined && request.state === undefined;
    const look = await lookAt(this.session, keyOf(id), signal, imported ? "holders" : "content");
    if (look === undefined) {
      return undefined;
    }
    const { snapshot, actual, found } = look;
    const marks = request.inputs ?? request.state;
    if (found.kind === "unreachable") {
      const unreachable = this.session.unreachable(actual, found.why);
      if (marks === undefined || imported) {
        throw unreachable;
      }
      // What was known stays, with the reason. Failing outright would keep a destroy, which reads first, from ending
      // what is paid for.
      throw new PartialFailure(request.id, request.state ?? marks, [unreachable.message], marks);
    }
    const manifest = found.kind === "found" ? openManifest(found.envelope) : undefined;
    const content = manifest === undefined ? undefined : this.rules.find(manifest, name);
    if (content === undefined || manifest === undefined || found.kind !== "found") {
      const incomplete =
        manifest === undefined ||
        Object.keys(manifest.workloads).length + Object.keys(manifest.connections).length < actual.manifestEntries;
      // In a complete manifest it would be: it is gone. In one that nobody has in full it waits to be handed over again.
      return incomplete && marks !== undefined && !imported
        ? { id: request.id, inputs: marks, state: { ...request.state, state: "undelivered" } }
        : undefined;
    }
    const local = Object.entries(marks ?? {}).filter(([property]) => LOCAL.has(property));
    const digest = entryDigest(manifest.salt, entryKey(this.rules.kind, name), content);
    const inputs: ValueMap = {
      ...(this.#ownWords(request.inputs, manifest.salt, name, digest) ?? this.rules.inputs(content, marks)),
      ...Object.fromEntries(local),
      deployment,
      name,
    };
    const entry = {
      id: request.id,
      deploymentId: deployment,
      deployment: keyOf(id),
      name,
      content,
      digest,
      inputs,
      manifest,
      snapshot,
    };
    const observed = await this.rules.observe(this.session, entry, request.state, signal);
    const nonce = imported ? stampOf(found.envelope.stamps, this.rules.kind, name)?.nonce : request.state?.[NONCE];
    const state: ValueMap = {
      ...inputs,
      digest,
      ...observed,
      ...importMark(imported, request.state),
      ...(nonce === undefined ? {} : { [NONCE]: nonce }),
    };
    const awaited = !imported && !this.session.settings.skipAwait && inputs["skipAwait"] !== true;
    const lacking = awaited ? await this.rules.lacks(this.session, entry, request.state, signal) : undefined;
    if (lacking !== undefined) {
      // Said again at each read, so that a refresh takes the failure off it only once it is done.
      throw new PartialFailure(request.id, state, [lacking], inputs);
    }
    return { id: request.id, inputs, state };
  }

  async delete(request: DeleteRequest, context: CallContext): Promise<void> {
    const { deployment, name } = parseEntryId(request.id, this.rules.kind);
    const id = deploymentId(deployment);
    using deadline = new Deadline(context.signal, request.timeout, this.session.timeoutOf("delete"));
    using _presence = this.session.activity.begin();
    if ((await whereabouts(this.session, id, deadline.signal)) === "gone") {
      return;
    }
    this.session.declarations.withdraw(context.urn);
    const { deployment: actual } = await this.session.snapshot(keyOf(id), deadline.signal);
    if (actual === undefined || !actual.active) {
      return;
    }
    const nonce = request.oldState[NONCE];
    const key = entryKey(this.rules.kind, name);
    const change: Change = {
      entry: key,
      signal: deadline.signal,
      apply: async (draft) => {
        const stamp = stampOf(draft.stamps, this.rules.kind, name);
        // Somebody took it over since: it is theirs now.
        return stamp !== undefined && stamp.nonce !== nonce ? draft : withoutEntry(draft, this.rules.kind, name);
      },
    };
    const until = Date.now() + UNREACHABLE_PATIENCE * 1000;
    for (;;) {
      try {
        await this.session.commits(deployment, keyOf(id)).join(change);
        return;
      } catch (error) {
        if (!(error instanceof NetworkError)) {
          throw error;
        }
        const now = await this.session.driver.snapshot(keyOf(id), deadline.signal);
        if (now.deployment === undefined || !now.deployment.active) {
          // Deleted beside it, and the entry with it: nothing orders the two where the program names it by plain text.
          return;
        }
        if (error.code !== "unreachable") {
          throw error;
        }
        if (Date.now() > until) {
          context.log(
            "warning",
            `${key} stays in the manifest of deployment ${deployment}: ${error.message} It ends with its lease, or with the deployment.`,
          );
          return;
        }
        await idle(1000, deadline.signal);
        deadline.signal.throwIfAborted();
      }
    }
  }

  async #declare(
    inputs: ValueMap,
    timeout: number,
    operation: "create" | "update",
    context: CallContext,
    nonce?: string,
  ): Promise<ValueMap> {
    const { id, name } = this.#target(inputs);
    const resource = deploymentId(id);
    using deadline = new Deadline(context.signal, timeout, this.session.timeoutOf(operation));
    using presence = this.session.activity.begin();
    // Who says how long it may take means it. Else an entry does not wait for one that the engine may not have begun
    // while nothing else is being done: at parallelism 1 that one would never come.
    const lonely = new AbortController();
    const alone = timeout > 0 ? (): void => {} : (): void => lonely.abort();
    await whereabouts(this.session, resource, deadline.signal);
    const key = entryKey(this.rules.kind, name);
    const content = this.rules.content(inputs);
    const owner = await this.session.owner(context.urn, deadline.signal);
    const stamp = newStamp(owner);
    const commits = this.session.commits(id, keyOf(resource));
    let committed: Committed;
    context.status(`${key}: declaring it`);
    try {
      committed = await commits.join({
        entry: key,
        signal: AbortSignal.any([deadline.signal, lonely.signal]),
        apply: async (draft, deployment): Promise<Draft | Waiting> => {
          if (operation === "update") {
            await this.#asCompared(context.urn, { id, key, name }, draft, deployment, deadline.signal);
          }
          await mayDeclare(this.session, { id, entry: key, urn: context.urn, owner, nonce }, draft, operation);
          const missing = this.rules.waitsFor(content, draft, deployment);
          if (missing !== undefined) {
            context.status(`${key}: waiting: ${missing}`);
            presence.wait(alone);
            return { waitsFor: missing };
          }
          presence.goOn();
          const isNew = operation === "create" && this.rules.find(draft.manifest, name) === undefined;
          return this.rules.place(draft, name, content, stamp, isNew);
        },
      });
    } catch (error) {
      throw explained(error, deadline, lonely.signal.aborted ? this.session.activity.patience : undefined);
    }
    this.#compared.delete(context.urn);
    const manifest = openManifest(committed.envelope);
    const digest = entryDigest(manifest.salt, key, content);
    const declared = { ...inputs, digest, [NONCE]: stamp.nonce };
    const resourceId = entryResourceId(id, this.rules.kind, name);
    const entry = {
      id: resourceId,
      deploymentId: id,
      deployment: keyOf(resource),
      name,
      content,
      digest,
      inputs,
      manifest,
      snapshot: committed.snapshot,
    };
    try {
      if (this.session.settings.skipAwait || inputs["skipAwait"] === true) {
        return { ...declared, ...(await this.rules.observe(this.session, entry, undefined, deadline.signal)) };
      }
      return { ...declared, ...(await this.rules.arrive(this.session, entry, deadline, context)) };
    } catch (error) {
      const foretold = this.rules.foretell(content, undefined);
      const known = Object.fromEntries(Object.entries(foretold).filter(([, value]) => !(value instanceof Unknown)));
      throw new PartialFailure(
        resourceId,
        { ...declared, ...known, ...(this.rules.kind === "workloads" ? { state: "pending" } : {}) },
        reasonsOf(error, deadline),
        inputs,
      );
    }
  }

  /** What the diff of this run saw is what its change is to be made to. Throws ChangedByAnother where it is not. */
  async #asCompared(
    urn: string,
    { id, key, name }: { readonly id: string; readonly key: string; readonly name: string },
    draft: Draft,
    now: ActualDeployment,
    signal: AbortSignal,
  ): Promise<void> {
    const compared = this.#compared.get(urn);
    if (compared === undefined || draft.unseen > 0) {
      return;
    }
    const current = this.rules.find(draft.manifest, name);
    const digest = (content: Content | undefined): string | undefined =>
      content === undefined ? undefined : entryDigest(draft.manifest.salt, key, content);
    if (digest(compared.content) === digest(current)) {
      return;
    }
    const configured = (await this.session.identify(signal))?.tenant;
    const what = current === undefined ? "it was removed" : this.rules.describe(compared.content, current, new Map());
    throw new ChangedByAnother(id, key, { before: compared.deployment, now, configured, what });
  }

  async #preview(inputs: ValueMap, oldState: ValueMap | undefined, context: CallContext): Promise<ValueMap> {
    const unknown: Value = Unknown.instance;
    const { deployment, name } = inputs;
    if (containsUnknown(inputs) || typeof deployment !== "string" || typeof name !== "string") {
      const known = containsUnknown({ ...inputs, deployment: "" }) ? undefined : this.rules.content(inputs);
      if (known !== undefined) {
        const digests = await this.session.images.resolve(this.rules.images(known), context.signal);
        context.log("info", this.rules.describe(undefined, known, digests));
      }
      const foretold = known === undefined ? {} : this.rules.foretell(known, oldState);
      return { ...inputs, digest: unknown, ...this.#unknownOutputs(oldState), ...foretold };
    }
    const content = this.rules.content(inputs);
    const id = deploymentId(deployment);
    await whereabouts(this.session, id, context.signal);
    const snapshot = await this.session.existing(keyOf(id), context.signal);
    const actual = snapshot.deployment;
    const salt = await this.session.driver.manifestSalt(actual.clientToken, actual.nonce, context.signal);
    const digest = entryDigest(salt, entryKey(this.rules.kind, name), content);
    const found = await findManifest(this.session, actual, context.signal, "content");
    const before = found.kind === "found" ? this.rules.find(openManifest(found.envelope), name) : undefined;
    const asItIs = before !== undefined && entryDigest(salt, entryKey(this.rules.kind, name), before) === digest;
    const [digests, fee] = asItIs
      ? [new Map<string, string>(), undefined]
      : await Promise.all([
          this.session.images.resolve(this.rules.images(content), context.signal),
          this.session.manifestFee(actual, context.signal),
        ]);
    const paid = fee === undefined ? "" : `, fee about ${formatTokens(fee)} for all of them`;
    const how = asItIs
      ? `no transaction${oldState === undefined ? "; it is this resource's from then on" : "; waits until it is done"}`
      : `UpdateDeployment, in one transaction with other changes to deployment ${actual.sequence}${paid}`;
    context.log("info", `${this.rules.describe(before, content, digests)}\n${how}`);
    return { ...inputs, digest, ...this.#unknownOutputs(oldState), ...this.rules.foretell(content, oldState) };
  }

  #unknownOutputs(oldState: ValueMap | undefined): ValueMap {
    const names = this.rules.kind === "workloads" ? ["state"] : ["address"];
    return Object.fromEntries(names.map((name) => [name, oldState?.[name] ?? Unknown.instance]));
  }

  /** Against what is there now; `undefined` where no holder can say what that is. */
  async #differences(request: DiffRequest, context: CallContext): Promise<Differences | undefined> {
    const { id, inputs, oldState } = request;
    const { deployment, name } = parseEntryId(id, this.rules.kind);
    const where = deploymentId(deployment);
    const gone: Differences = { deployment: { kind: "update-replace", inputDiff: false } };
    if ((await whereabouts(this.session, where, context.signal)) === "gone") {
      return gone;
    }
    const look = await lookAt(this.session, keyOf(where), context.signal, "content");
    if (look === undefined) {
      return gone;
    }
    const { actual, found } = look;
    if (found.kind === "unreachable") {
      context.log("debug", `compared with the state, not with what runs: ${found.why}`);
      return undefined;
    }
    const content = found.kind === "found" ? this.rules.find(openManifest(found.envelope), name) : undefined;
    if (found.kind === "found") {
      this.#compared.set(context.urn, { deployment: actual, content });
    }
    const own = containsUnknown(inputs)
      ? Object.fromEntries(Object.entries(inputs).filter(([property]) => !LOCAL.has(property)))
      : {
          ...this.rules.inputs(this.rules.content(inputs), inputs),
          deployment: inputs["deployment"],
          name: inputs["name"],
        };
    const local = differences(withLocal(request, "waitFor")["waitFor"], inputs["waitFor"], "waitFor");
    if (content === undefined) {
      return { ...local, digest: { kind: "update", inputDiff: false } };
    }
    const live = { ...this.rules.inputs(content, inputs), deployment, name };
    const changed = { ...differences(live, own, ""), ...local };
    const unfinished = oldState["state"] === "undelivered";
    return unfinished && Object.keys(changed).length === 0 ? { state: { kind: "update", inputDiff: false } } : changed;
  }

  /** What the program says of an entry, where that still means what is there: reading changes no spelling. */
  #ownWords(inputs: ValueMap | undefined, salt: string, name: string, digest: string): ValueMap | undefined {
    if (inputs === undefined || containsUnknown(inputs)) {
      return undefined;
    }
    try {
      const said = entryDigest(salt, entryKey(this.rules.kind, name), this.rules.content(inputs));
      return said === digest ? inputs : undefined;
    } catch (error) {
      if (error instanceof ManifestError) {
        return undefined;
      }
      throw error;
    }
  }

  #target(inputs: ValueMap): { readonly id: string; readonly name: string } {
    const { deployment, name } = inputs;
    if (typeof deployment !== "string" || typeof name !== "string") {
      throw new NetworkError("invalid", "the deployment and the name of an entry must be known before it is created");
    }
    return { id: deployment, name };
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

/** Inputs that steer the provider and are no part of an entry. */
const LOCAL: ReadonlySet<string> = new Set(["skipAwait", "waitFor"]);

/** @param alone milliseconds in which nothing else was done, where that ended it */
function explained(error: unknown, deadline: Deadline, alone: number | undefined): unknown {
  if (error instanceof MissingEntry) {
    const ended = deadline.cancelled ? "cancelled" : `after ${spanText(deadline.milliseconds)}`;
    const after = alone === undefined ? ended : `after ${spanText(alone)} in which nothing else was being changed`;
    return new NetworkError("refused", `${after}: ${error.message}`, { cause: error });
  }
  return error;
}

function reasonsOf(error: unknown, deadline: Deadline): readonly string[] {
  if (error instanceof WaitTimeout) {
    return error.reasons.map((one) => `not done after ${spanText(deadline.milliseconds)}: ${one}`);
  }
  if (error instanceof WaitCancelled) {
    return ["cancelled; `pulumi up` goes on from here", ...error.reasons];
  }
  return error instanceof WaitFailed ? error.reasons : [error instanceof Error ? error.message : String(error)];
}
