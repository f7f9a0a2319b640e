import type { EntryKind } from "@dcx/protocol";
import { z } from "zod";
import { openManifest } from "../../plan/manifest";
import { findManifest } from "../current-manifest";
import { parseQuery } from "../deployment/list-deployments";
import { deploymentId, keyOf, whereabouts } from "../identity";
import type { CallContext, ListPage, ListRequest } from "../resource";
import type { Session } from "../session";
import { entryResourceId } from "./entry-id";

const Query = z.strictObject({ deployment: z.string({ error: "must be the id of a deployment" }) });

/** Workloads or connections of one deployment, by name; none where it has ended. */
export async function listEntries(
  session: Session,
  kind: EntryKind,
  { query, after, size }: ListRequest,
  { signal }: CallContext,
): Promise<ListPage> {
  const { deployment } = parseQuery(Query, query);
  const id = deploymentId(deployment);
  const none: ListPage = { found: [], next: undefined };
  if ((await whereabouts(session, id, signal)) === "gone") {
    return none;
  }
  const { deployment: actual } = await session.snapshot(keyOf(id), signal);
  if (actual === undefined || !actual.active) {
    return none;
  }
  const found = await findManifest(session, actual, signal, "content");
  if (found.kind === "unreachable") {
    throw session.unreachable(actual, found.why);
  }
  const names = found.kind === "found" ? Object.keys(openManifest(found.envelope)[kind]).sort() : [];
  const rest = names.filter((name) => after === undefined || name > after);
  const page = rest.slice(0, size);
  return {
    found: page.map((name) => ({ id: entryResourceId(deployment, kind, name), name })),
    next: rest.length > size ? page.at(-1) : undefined,
  };
}
