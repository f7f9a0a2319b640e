import { naming, serves } from "../../await/conditions";
import { type HolderView, HolderWatch } from "../../await/holder-watch";
import { type Deadline, type Progress, WaitFailed, waitFor } from "../../await/wait";
import type { ValueMap } from "../../wire/value";
import { holdersOf } from "../deployment/await-deployment";
import type { CallContext } from "../resource";
import type { Session } from "../session";
import type { ArrivingEntry, EntryContent } from "./entry-rules";

/** What the holder of an entry tells of it. */
export type Arrival = { readonly outputs: ValueMap } | { readonly missing: string };

/**
 * Waits until the holder of `infrastructure` tells that the entry is done, and returns the outputs that it tells.
 *
 * @param infrastructure of whose holder; absent: nothing places the entry
 * @param told whether the holder tells anything of the entry. While it does not, what keeps it says more than what is missing.
 */
export async function arriveAtHolder<Content extends EntryContent>(
  session: Session,
  entry: ArrivingEntry<Content>,
  infrastructure: string | undefined,
  arrival: (view: HolderView) => Arrival,
  told: (view: HolderView) => boolean,
  deadline: Deadline,
  context: CallContext,
): Promise<ValueMap> {
  const { driver } = session;
  const commits = session.commits(entry.deploymentId, entry.deployment);
  using watch = new HolderWatch(driver, entry.deployment, () => commits.latest, deadline.signal);
  const words = naming(await driver.parameters(deadline.signal), await driver.datacenters(deadline.signal));
  let height = 0n;
  return await waitFor<ValueMap>({
    deadline,
    status: (line) => context.status(line),
    next: (signal) => Promise.race([driver.waitForHeight(height, signal), watch.changed()]),
    async look(): Promise<Progress<ValueMap>> {
      const snapshot = await driver.snapshot(entry.deployment, deadline.signal);
      height = snapshot.height;
      if (snapshot.deployment === undefined || !snapshot.deployment.active) {
        throw new WaitFailed(["its deployment has been cancelled"]);
      }
      const [holder] = infrastructure === undefined ? [] : holdersOf(snapshot, infrastructure);
      if (holder === undefined) {
        const line = `${entry.name}: infrastructure ${infrastructure ?? ""} has no lease yet`;
        return { done: false, line, reasons: [line] };
      }
      const view = watch.watch(holder);
      const found = arrival(view);
      if ("outputs" in found) {
        return { done: true, value: found.outputs };
      }
      const holding = serves(commits.latest?.version ?? "", holder, view, words);
      const line = !told(view) && !holding.met ? holding.missing : found.missing;
      return { done: false, line, reasons: [line] };
    },
  });
}
