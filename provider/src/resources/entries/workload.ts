import { type ManifestWorkload, resourceIdText } from "@dcx/protocol";
import { naming, serves, type WorkloadExpectation, workloadRuns } from "../../await/conditions";
import { HolderWatch } from "../../await/holder-watch";
import { type Progress, WaitFailed, waitFor } from "../../await/wait";
import { NetworkError } from "../../network/driver";
import { describeWorkload } from "../../plan/describe-entries";
import { Unknown, type ValueMap } from "../../wire/value";
import { holdersOf } from "../deployment/await-deployment";
import { deploymentId } from "../identity";
import { manifestWorkload, workloadInputs } from "../inputs/manifest-entries";
import { workloadFields } from "../inputs/manifest-shapes";
import { entryName } from "../inputs/quantities";
import { choice, type Field, flag, reference, text } from "../inputs/shape";
import { withEntry } from "./entry";
import type { ArrivingEntry, EntryKindRules } from "./entry-resource";

export const deploymentReference = reference((id) => resourceIdText(deploymentId(id)));
export const nameField: Field = {
  shape: text((value) => {
    entryName(value);
    return value;
  }),
  required: true,
};

/** `dcx:index:Workload`: done when its instances have started; with `waitFor: ready`, when they are ready. */
export const workloadRules: EntryKindRules<ManifestWorkload> = {
  token: "dcx:index:Workload",
  kind: "workloads",
  fields: {
    deployment: { shape: deploymentReference, required: true },
    name: nameField,
    ...workloadFields,
    waitFor: { shape: choice("started", "ready"), absent: "started" },
    skipAwait: { shape: flag, absent: false },
  },
  content: manifestWorkload,
  find: (manifest, name) => (Object.hasOwn(manifest.workloads, name) ? manifest.workloads[name] : undefined),
  inputs: workloadInputs,
  place: (draft, name, content, stamp, isNew) => withEntry(draft, { kind: "workloads", name, content }, stamp, isNew),
  waitsFor({ infrastructure }, _draft, deployment) {
    if (deployment.infrastructures[infrastructure] === undefined) {
      const there = Object.keys(deployment.infrastructures).join(", ");
      throw new NetworkError(
        "invalid",
        `infrastructure: the deployment has no infrastructure ${JSON.stringify(infrastructure)}; it has ${there}`,
      );
    }
    return undefined;
  },

  async arrive(session, entry, deadline, context) {
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
          throw new WaitFailed([`its deployment has been cancelled`]);
        }
        const [holder] = holdersOf(snapshot, entry.content.infrastructure);
        if (holder === undefined) {
          const line = `${entry.name}: infrastructure ${entry.content.infrastructure} has no lease yet`;
          return { done: false, line, reasons: [line] };
        }
        const view = watch.watch(holder);
        const verdict = workloadRuns(expectationOf(entry), view);
        if (verdict.met) {
          const count = entry.content.count ?? 1;
          const word = entry.inputs["waitFor"] === "ready" ? "ready" : "started";
          context.status(`${entry.name}: ${count} of ${count} ${word}`);
          return { done: true, value: { state: "running" } };
        }
        // That its holder does not answer, or has no manifest yet, says more than that nothing has started.
        const holding = serves(commits.latest?.version ?? "", holder, view, words);
        const line =
          view.status?.workloads[entry.name] === undefined && !holding.met ? holding.missing : verdict.missing;
        return { done: false, line, reasons: [line] };
      },
    });
  },

  foretell: (_content, oldState) => ({ state: oldState?.["state"] ?? Unknown.instance }),

  async observe(session, entry, oldState, signal) {
    const [holder] = holdersOf(entry.snapshot, entry.content.infrastructure);
    if (holder === undefined) {
      return { state: "undelivered" };
    }
    const status = await session.glance(entry.deployment, holder, signal);
    if (status === undefined) {
      // It can't be asked: what was known stays.
      return { state: oldState?.["state"] ?? "unknown" };
    }
    return { state: status.workloads[entry.name] === undefined ? "undelivered" : "running" };
  },

  async lacks(session, entry, oldState, signal) {
    const { snapshot, content, deployment } = entry;
    const infrastructure = snapshot.deployment?.infrastructures[content.infrastructure];
    const [holder] = holdersOf(snapshot, content.infrastructure);
    if (holder === undefined) {
      return `${entry.name}: infrastructure ${content.infrastructure} has no lease`;
    }
    const serving = infrastructure?.successor ?? infrastructure?.lease;
    if (serving?.confirmedVersion === snapshot.deployment?.version) {
      // Every instance serves: its datacenter has confirmed the version.
      return undefined;
    }
    const status = await session.glance(deployment, holder, signal);
    if (status === undefined) {
      return undefined;
    }
    const verdict = workloadRuns(expectationOf(entry), { status, problem: undefined });
    const failing = (status.workloads[entry.name]?.instances ?? [{ state: "failed" }]).some(({ state }) =>
      ["exited", "failed", "unhealthy"].includes(state),
    );
    if (oldState?.["state"] === "running" && !failing) {
      // A sibling's change can restart it: where its connections lead is part of its environment. That is no drift.
      return undefined;
    }
    return verdict.met ? undefined : verdict.missing;
  },

  describe: describeWorkload,
  images: ({ container }) => [container],
};

function expectationOf(entry: ArrivingEntry<ManifestWorkload>): WorkloadExpectation {
  return {
    name: entry.name,
    count: entry.content.count ?? 1,
    digest: entry.digest,
    until: entry.inputs["waitFor"] === "ready" ? "ready" : "started",
    log: `dcx logs ${entry.deploymentId} ${entry.name}`,
  };
}
