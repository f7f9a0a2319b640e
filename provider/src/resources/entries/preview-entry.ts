import { type EntryKind, entryDigest, entryKey, formatTokens } from "@dcx/protocol";
import { openManifest } from "../../plan/manifest";
import { Unknown, type Value, type ValueMap } from "../../wire/value";
import { findManifest } from "../current-manifest";
import { deploymentId, keyOf, whereabouts } from "../identity";
import { containsUnknown } from "../inputs/shape";
import type { CallContext } from "../resource";
import type { EntryContent, EntryOperations } from "./entry-rules";

/** The outputs that a create or an update would lead to, as far as they are known; tells what it would do. */
export async function previewEntry<Content extends EntryContent>(
  { session, rules }: EntryOperations<Content>,
  inputs: ValueMap,
  oldState: ValueMap | undefined,
  context: CallContext,
): Promise<ValueMap> {
  const unknown: Value = Unknown.instance;
  const { deployment, name } = inputs;
  if (containsUnknown(inputs) || typeof deployment !== "string" || typeof name !== "string") {
    const known = containsUnknown({ ...inputs, deployment: "" }) ? undefined : rules.content(inputs);
    if (known !== undefined) {
      const digests = await session.images.resolve(rules.images(known), context.signal);
      context.log("info", rules.describe(undefined, known, digests));
    }
    const foretold = known === undefined ? {} : rules.foretell(known, oldState);
    return { ...inputs, digest: unknown, ...unknownOutputs(rules.kind, oldState), ...foretold };
  }
  const content = rules.content(inputs);
  const id = deploymentId(deployment);
  await whereabouts(session, id, context.signal);
  const snapshot = await session.existing(keyOf(id), context.signal);
  const actual = snapshot.deployment;
  const salt = await session.driver.manifestSalt(actual.clientToken, actual.nonce, context.signal);
  const digest = entryDigest(salt, entryKey(rules.kind, name), content);
  const found = await findManifest(session, actual, context.signal, "content");
  const before = found.kind === "found" ? rules.find(openManifest(found.envelope), name) : undefined;
  const asItIs = before !== undefined && entryDigest(salt, entryKey(rules.kind, name), before) === digest;
  const [digests, fee] = asItIs
    ? [new Map<string, string>(), undefined]
    : await Promise.all([
        session.images.resolve(rules.images(content), context.signal),
        session.manifestFee(actual, context.signal),
      ]);
  const paid = fee === undefined ? "" : `, fee about ${formatTokens(fee)} for all of them`;
  const how = asItIs
    ? `no transaction${oldState === undefined ? "; it is this resource's from then on" : "; waits until it is done"}`
    : `UpdateDeployment, in one transaction with other changes to deployment ${actual.sequence}${paid}`;
  context.log("info", `${rules.describe(before, content, digests)}\n${how}`);
  return { ...inputs, digest, ...unknownOutputs(rules.kind, oldState), ...rules.foretell(content, oldState) };
}

function unknownOutputs(kind: EntryKind, oldState: ValueMap | undefined): ValueMap {
  const names = kind === "workloads" ? ["state"] : ["address"];
  return Object.fromEntries(names.map((name) => [name, oldState?.[name] ?? Unknown.instance]));
}
