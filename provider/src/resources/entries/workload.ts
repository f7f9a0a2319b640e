import { type ManifestWorkload, resourceIdText } from "@dcx/protocol";
import { type WorkloadExpectation, workloadRuns } from "../../await/conditions";
import type { HolderView } from "../../await/holder-watch";
import { NetworkError } from "../../network/driver";
import { describeWorkload } from "../../plan/describe-entries";
import { Unknown } from "../../wire/value";
import { holdersOf } from "../deployment/await-deployment";
import { deploymentId } from "../identity";
import { manifestWorkload, workloadInputs } from "../inputs/manifest-entries";
import { workloadFields } from "../inputs/manifest-shapes";
import { entryName } from "../inputs/quantities";
import { choice, type Field, flag, reference, text } from "../inputs/shape";
import { type Arrival, arriveAtHolder } from "./arrival";
import { withEntry } from "./entry";
import type { ArrivingEntry, EntryKindRules } from "./entry-rules";

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

  arrive(session, entry, deadline, context) {
    const { name, content, inputs } = entry;
    const arrival = (view: HolderView): Arrival => {
      const verdict = workloadRuns(expectationOf(entry), view);
      if (!verdict.met) return verdict;
      const count = content.count ?? 1;
      context.status(`${name}: ${count} of ${count} ${inputs["waitFor"] === "ready" ? "ready" : "started"}`);
      return { outputs: { state: "running" } };
    };
    const told = ({ status }: HolderView): boolean => status?.workloads[name] !== undefined;
    return arriveAtHolder(session, entry, content.infrastructure, arrival, told, deadline, context);
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
