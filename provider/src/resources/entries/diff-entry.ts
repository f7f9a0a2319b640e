import { entryDigest } from "@dcx/protocol";
import type { ActualDeployment } from "../../network/snapshot";
import { openManifest } from "../../plan/manifest";
import type { Draft } from "../commit/change";
import { ChangedByAnother } from "../commit/errors";
import { lookAt } from "../current-manifest";
import { type Differences, differences } from "../differences";
import { deploymentId, keyOf, whereabouts } from "../identity";
import { withLocal } from "../imported";
import { containsUnknown } from "../inputs/shape";
import type { CallContext, DiffRequest } from "../resource";
import { parseEntryId } from "./entry-id";
import { type EntryContent, type EntryOperations, LOCAL } from "./entry-rules";

/** Against what is there now; `undefined` where no holder can say what that is. */
export async function entryDifferences<Content extends EntryContent>(
  { session, rules, compared }: EntryOperations<Content>,
  request: DiffRequest,
  context: CallContext,
): Promise<Differences | undefined> {
  const { id, inputs, oldState } = request;
  const { deployment, name } = parseEntryId(id, rules.kind);
  const where = deploymentId(deployment);
  const gone: Differences = { deployment: { kind: "update-replace", inputDiff: false } };
  if ((await whereabouts(session, where, context.signal)) === "gone") {
    return gone;
  }
  const look = await lookAt(session, keyOf(where), context.signal, "content");
  if (look === undefined) {
    return gone;
  }
  const { actual, found } = look;
  if (found.kind === "unreachable") {
    context.log("debug", `compared with the state, not with what runs: ${found.why}`);
    return undefined;
  }
  const content = found.kind === "found" ? rules.find(openManifest(found.envelope), name) : undefined;
  if (found.kind === "found") {
    compared.set(context.urn, { deployment: actual, content });
  }
  const own = containsUnknown(inputs)
    ? Object.fromEntries(Object.entries(inputs).filter(([property]) => !LOCAL.has(property)))
    : {
        ...rules.inputs(rules.content(inputs), inputs),
        deployment: inputs["deployment"],
        name: inputs["name"],
      };
  const local = differences(withLocal(request, "waitFor")["waitFor"], inputs["waitFor"], "waitFor");
  if (content === undefined) {
    return { ...local, digest: { kind: "update", inputDiff: false } };
  }
  const live = { ...rules.inputs(content, inputs), deployment, name };
  const changed = { ...differences(live, own, ""), ...local };
  const unfinished = oldState["state"] === "undelivered";
  return unfinished && Object.keys(changed).length === 0 ? { state: { kind: "update", inputDiff: false } } : changed;
}

/** What the diff of this run saw is what its change is to be made to. @throws {ChangedByAnother} where it is not */
export async function mustBeAsCompared<Content extends EntryContent>(
  { session, rules, compared }: EntryOperations<Content>,
  { urn, id, key, name }: Readonly<Record<"urn" | "id" | "key" | "name", string>>,
  draft: Draft,
  now: ActualDeployment,
  signal: AbortSignal,
): Promise<void> {
  const seen = compared.get(urn);
  if (seen === undefined || draft.unseen > 0) {
    return;
  }
  const current = rules.find(draft.manifest, name);
  const digest = (content: Content | undefined): string | undefined =>
    content === undefined ? undefined : entryDigest(draft.manifest.salt, key, content);
  if (digest(seen.content) === digest(current)) {
    return;
  }
  const configured = (await session.identify(signal))?.tenant;
  const what = current === undefined ? "it was removed" : rules.describe(seen.content, current, new Map());
  throw new ChangedByAnother(id, key, { before: seen.deployment, now, configured, what });
}
