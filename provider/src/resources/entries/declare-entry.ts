import { entryDigest, entryKey, newStamp } from "@dcx/protocol";
import { Deadline, spanText, WaitCancelled, WaitFailed, WaitTimeout } from "../../await/wait";
import { NetworkError } from "../../network/driver";
import { openManifest } from "../../plan/manifest";
import { Unknown, type ValueMap } from "../../wire/value";
import type { Draft, Waiting } from "../commit/change";
import { MissingEntry } from "../commit/errors";
import type { Committed } from "../commit/group-commit";
import { deploymentId, keyOf, whereabouts } from "../identity";
import { type CallContext, PartialFailure } from "../resource";
import { mustBeAsCompared } from "./diff-entry";
import { entryResourceId } from "./entry-id";
import type { EntryContent, EntryOperations } from "./entry-rules";
import { mayDeclare, NONCE } from "./ownership";

export interface DeclareRequest {
  readonly inputs: ValueMap;
  /** Seconds; 0 where nobody says how long it may take. */
  readonly timeout: number;
  readonly operation: "create" | "update";
  /** Of the stamp that this resource gave the entry last. */
  readonly nonce?: string | undefined;
}

/** Puts the entry into the manifest, waits until it is done, and returns its state. @throws {PartialFailure} */
export async function declareEntry<Content extends EntryContent>(
  entries: EntryOperations<Content>,
  request: DeclareRequest,
  context: CallContext,
): Promise<ValueMap> {
  const { session, rules } = entries;
  const { inputs, timeout, operation, nonce } = request;
  const { id, name } = targetOf(inputs);
  const resource = deploymentId(id);
  using deadline = new Deadline(context.signal, timeout, session.timeoutOf(operation));
  using presence = session.activity.begin();
  // Who says how long it may take means it. Else an entry does not wait for one that the engine may not have begun
  // while nothing else is being done: at parallelism 1 that one would never come.
  const lonely = new AbortController();
  const alone = timeout > 0 ? (): void => {} : (): void => lonely.abort();
  await whereabouts(session, resource, deadline.signal);
  const key = entryKey(rules.kind, name);
  const content = rules.content(inputs);
  const owner = await session.owner(context.urn, deadline.signal);
  const stamp = newStamp(owner);
  const commits = session.commits(id, keyOf(resource));
  let committed: Committed;
  context.status(`${key}: declaring it`);
  try {
    committed = await commits.join({
      entry: key,
      signal: AbortSignal.any([deadline.signal, lonely.signal]),
      apply: async (draft, deployment): Promise<Draft | Waiting> => {
        if (operation === "update") {
          await mustBeAsCompared(entries, { urn: context.urn, id, key, name }, draft, deployment, deadline.signal);
        }
        await mayDeclare(session, { id, entry: key, urn: context.urn, owner, nonce }, draft, operation);
        const missing = rules.waitsFor(content, draft, deployment);
        if (missing !== undefined) {
          context.status(`${key}: waiting: ${missing}`);
          presence.wait(alone);
          return { waitsFor: missing };
        }
        presence.goOn();
        const isNew = operation === "create" && rules.find(draft.manifest, name) === undefined;
        return rules.place(draft, name, content, stamp, isNew);
      },
    });
  } catch (error) {
    throw explained(error, deadline, lonely.signal.aborted ? session.activity.patience : undefined);
  }
  entries.compared.delete(context.urn);
  const manifest = openManifest(committed.envelope);
  const digest = entryDigest(manifest.salt, key, content);
  const declared = { ...inputs, digest, [NONCE]: stamp.nonce };
  const resourceId = entryResourceId(id, rules.kind, name);
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
    if (session.settings.skipAwait || inputs["skipAwait"] === true) {
      return { ...declared, ...(await rules.observe(session, entry, undefined, deadline.signal)) };
    }
    return { ...declared, ...(await rules.arrive(session, entry, deadline, context)) };
  } catch (error) {
    const foretold = rules.foretell(content, undefined);
    const known = Object.fromEntries(Object.entries(foretold).filter(([, value]) => !(value instanceof Unknown)));
    throw new PartialFailure(
      resourceId,
      { ...declared, ...known, ...(rules.kind === "workloads" ? { state: "pending" } : {}) },
      reasonsOf(error, deadline),
      inputs,
    );
  }
}

/** Which entry of which deployment the inputs mean. @throws {NetworkError} where they do not say */
export function targetOf(inputs: ValueMap): { readonly id: string; readonly name: string } {
  const { deployment, name } = inputs;
  if (typeof deployment !== "string" || typeof name !== "string") {
    throw new NetworkError("invalid", "the deployment and the name of an entry must be known before it is created");
  }
  return { id: deployment, name };
}

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
