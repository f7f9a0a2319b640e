import { type EntryKind, entryKey, idle, stampOf } from "@dcx/protocol";
import { Deadline } from "../../await/wait";
import { NetworkError } from "../../network/driver";
import type { Change } from "../commit/change";
import { deploymentId, keyOf, whereabouts } from "../identity";
import type { CallContext, DeleteRequest } from "../resource";
import type { Session } from "../session";
import { withoutEntry } from "./entry";
import { parseEntryId } from "./entry-id";
import { NONCE } from "./ownership";

/** Seconds that a delete goes on asking holders that do not answer, before it leaves the entry to the deployment. */
const UNREACHABLE_PATIENCE = 10;

/** Takes an entry that is still its resource's own out of the manifest; nothing to do is success. */
export async function deleteEntry(
  session: Session,
  kind: EntryKind,
  request: DeleteRequest,
  context: CallContext,
): Promise<void> {
  const { deployment, name } = parseEntryId(request.id, kind);
  const id = deploymentId(deployment);
  using deadline = new Deadline(context.signal, request.timeout, session.timeoutOf("delete"));
  using _presence = session.activity.begin();
  if ((await whereabouts(session, id, deadline.signal)) === "gone") {
    return;
  }
  session.declarations.withdraw(context.urn);
  const { deployment: actual } = await session.snapshot(keyOf(id), deadline.signal);
  if (actual === undefined || !actual.active) {
    return;
  }
  const nonce = request.oldState[NONCE];
  const key = entryKey(kind, name);
  const change: Change = {
    entry: key,
    signal: deadline.signal,
    apply: async (draft) => {
      const stamp = stampOf(draft.stamps, kind, name);
      // Somebody took it over since: it is theirs now.
      return stamp !== undefined && stamp.nonce !== nonce ? draft : withoutEntry(draft, kind, name);
    },
  };
  const until = Date.now() + UNREACHABLE_PATIENCE * 1000;
  for (;;) {
    try {
      await session.commits(deployment, keyOf(id)).join(change);
      return;
    } catch (error) {
      if (!(error instanceof NetworkError)) {
        throw error;
      }
      const now = await session.driver.snapshot(keyOf(id), deadline.signal);
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
