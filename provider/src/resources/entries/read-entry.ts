import { entryDigest, entryKey, ManifestError, stampOf } from "@dcx/protocol";
import { openManifest } from "../../plan/manifest";
import type { ValueMap } from "../../wire/value";
import { lookAt } from "../current-manifest";
import { deploymentId, keyOf, whereabouts } from "../identity";
import { importMark } from "../imported";
import { containsUnknown } from "../inputs/shape";
import { type CallContext, PartialFailure, type ReadRequest, type ReadResult } from "../resource";
import { parseEntryId } from "./entry-id";
import { type EntryContent, type EntryKindRules, type EntryOperations, LOCAL } from "./entry-rules";
import { NONCE } from "./ownership";

/** @throws {PartialFailure} where it is not done, or no holder answers */
export async function readEntry<Content extends EntryContent>(
  { session, rules }: EntryOperations<Content>,
  request: ReadRequest,
  context: CallContext,
): Promise<ReadResult> {
  const { deployment, name } = parseEntryId(request.id, rules.kind);
  const id = deploymentId(deployment);
  const { signal } = context;
  if ((await whereabouts(session, id, signal)) === "gone") {
    return undefined;
  }
  const imported = request.inputs === undefined && request.state === undefined;
  const look = await lookAt(session, keyOf(id), signal, imported ? "holders" : "content");
  if (look === undefined) {
    return undefined;
  }
  const { snapshot, actual, found } = look;
  const marks = request.inputs ?? request.state;
  if (found.kind === "unreachable") {
    const unreachable = session.unreachable(actual, found.why);
    if (marks === undefined || imported) {
      throw unreachable;
    }
    // What was known stays, with the reason. Failing outright would keep a destroy, which reads first, from ending
    // what is paid for.
    throw new PartialFailure(request.id, request.state ?? marks, [unreachable.message], marks);
  }
  const manifest = found.kind === "found" ? openManifest(found.envelope) : undefined;
  const content = manifest === undefined ? undefined : rules.find(manifest, name);
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
  const digest = entryDigest(manifest.salt, entryKey(rules.kind, name), content);
  const inputs: ValueMap = {
    ...(ownWords(rules, request.inputs, manifest.salt, name, digest) ?? rules.inputs(content, marks)),
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
  const observed = await rules.observe(session, entry, request.state, signal);
  const nonce = imported ? stampOf(found.envelope.stamps, rules.kind, name)?.nonce : request.state?.[NONCE];
  const state: ValueMap = {
    ...inputs,
    digest,
    ...observed,
    ...importMark(imported, request.state),
    ...(nonce === undefined ? {} : { [NONCE]: nonce }),
  };
  const awaited = !imported && !session.settings.skipAwait && inputs["skipAwait"] !== true;
  const lacking = awaited ? await rules.lacks(session, entry, request.state, signal) : undefined;
  if (lacking !== undefined) {
    // Said again at each read, so that a refresh takes the failure off it only once it is done.
    throw new PartialFailure(request.id, state, [lacking], inputs);
  }
  return { id: request.id, inputs, state };
}

/** What the program says of an entry, where that still means what is there: reading changes no spelling. */
function ownWords<Content extends EntryContent>(
  rules: EntryKindRules<Content>,
  inputs: ValueMap | undefined,
  salt: string,
  name: string,
  digest: string,
): ValueMap | undefined {
  if (inputs === undefined || containsUnknown(inputs)) {
    return undefined;
  }
  try {
    const said = entryDigest(salt, entryKey(rules.kind, name), rules.content(inputs));
    return said === digest ? inputs : undefined;
  } catch (error) {
    if (error instanceof ManifestError) {
      return undefined;
    }
    throw error;
  }
}
