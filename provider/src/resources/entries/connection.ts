import type { ManifestConnection } from "@dcx/protocol";
import { connected, unservedHosts } from "../../await/conditions";
import type { HolderView } from "../../await/holder-watch";
import { NetworkError } from "../../network/driver";
import { describeConnection } from "../../plan/describe-entries";
import { connectionPlaces } from "../../plan/manifest";
import { Unknown, type Value, type ValueMap } from "../../wire/value";
import { holdersOf } from "../deployment/await-deployment";
import { connectionInputs, manifestConnection } from "../inputs/manifest-entries";
import { connectionFields } from "../inputs/manifest-shapes";
import { flag } from "../inputs/shape";
import { type Arrival, arriveAtHolder } from "./arrival";
import { withEntry } from "./entry";
import type { EntryKindRules } from "./entry-rules";
import { deploymentReference, nameField } from "./workload";

/** `dcx:index:Connection`: done when its tunnel stands and its target accepts; a global one, when it has an address. */
export const connectionRules: EntryKindRules<ManifestConnection> = {
  token: "dcx:index:Connection",
  kind: "connections",
  fields: {
    deployment: { shape: deploymentReference, required: true },
    name: nameField,
    ...connectionFields,
    skipAwait: { shape: flag, absent: false },
  },
  content: manifestConnection,
  find: (manifest, name) => (Object.hasOwn(manifest.connections, name) ? manifest.connections[name] : undefined),
  inputs: (content) => connectionInputs(content),
  place: (draft, name, content, stamp, isNew) => withEntry(draft, { kind: "connections", name, content }, stamp, isNew),

  waitsFor({ to, from, port }, { manifest }, deployment) {
    if (from.infrastructure !== undefined && deployment.infrastructures[from.infrastructure] === undefined) {
      throw new NetworkError(
        "invalid",
        `from.infrastructure: the deployment has no infrastructure ${JSON.stringify(from.infrastructure)}`,
      );
    }
    for (const name of [to, from.workload]) {
      if (name !== undefined && !Object.hasOwn(manifest.workloads, name)) {
        return `workload ${JSON.stringify(name)} is not there`;
      }
    }
    const ports = manifest.workloads[to]?.ports;
    if (ports !== undefined && !ports.includes(port)) {
      throw new NetworkError(
        "invalid",
        `port: ${port} is not a port of workload ${JSON.stringify(to)}; it has ${ports.join(", ")}`,
      );
    }
    return undefined;
  },

  arrive(session, entry, deadline, context) {
    const { name, content, digest, manifest } = entry;
    const arrival = (view: HolderView): Arrival => {
      const verdict = connected(name, digest, view);
      const told = view.status?.connections[name];
      const address = addressOf(content, told?.address);
      if (!verdict.met) return verdict;
      if (address === undefined) return { missing: `${name}: no address yet` };
      context.status(`${name}: ${address}`);
      for (const line of unservedHosts(name, view)) context.log("warning", line);
      return { outputs: placeOf(address, told?.rawAddress) };
    };
    const told = ({ status }: HolderView): boolean => status?.connections[name] !== undefined;
    const [place] = connectionPlaces(manifest, name);
    return arriveAtHolder(session, entry, place, arrival, told, deadline, context);
  },

  foretell(content, oldState) {
    const inner = addressOf(content, undefined);
    if (inner !== undefined) {
      return placeOf(inner, undefined);
    }
    const known = placeSoFar(content, oldState);
    return known ?? { address: Unknown.instance, rawAddress: Unknown.instance };
  },

  async observe(session, entry, oldState, signal) {
    const inner = addressOf(entry.content, undefined);
    const [place] = connectionPlaces(entry.manifest, entry.name);
    const [holder] = place === undefined ? [] : holdersOf(entry.snapshot, place);
    if (inner !== undefined) {
      return placeOf(inner, undefined);
    }
    const status = holder === undefined ? undefined : await session.glance(entry.deployment, holder, signal);
    const told = status?.connections[entry.name];
    return told?.address === undefined
      ? placeOf(oldState?.["address"] ?? "", oldState?.["rawAddress"])
      : placeOf(told.address, told.rawAddress);
  },

  async lacks(session, { manifest, snapshot, name, deployment, digest }, _oldState, signal) {
    const [place] = connectionPlaces(manifest, name);
    const [holder] = place === undefined ? [] : holdersOf(snapshot, place);
    if (holder === undefined) {
      return `${name}: infrastructure ${place ?? ""} has no lease`;
    }
    const status = await session.glance(deployment, holder, signal);
    const verdict = status === undefined ? undefined : connected(name, digest, { status, problem: undefined });
    return verdict === undefined || verdict.met ? undefined : verdict.missing;
  },

  describe: describeConnection,
  images: () => [],
};

/** Where a global connection is reached, while it leads to the same. Own host names lead there besides. */
function placeSoFar(content: ManifestConnection, oldState: ValueMap | undefined): ValueMap | undefined {
  const address = oldState?.["address"];
  if (oldState === undefined || address === undefined) return undefined;
  const target = ({ to, port, from }: ManifestConnection) => JSON.stringify([to, port, from.global]);
  return target(manifestConnection(oldState)) === target(content)
    ? placeOf(address, oldState["rawAddress"])
    : undefined;
}

/** The outputs that say where it is reached. */
function placeOf(address: Value, rawAddress: Value | undefined): ValueMap {
  return { address, ...(rawAddress === undefined ? {} : { rawAddress }) };
}

/** What the source connects to: a name and port that stay the same wherever the target runs, or the public address. */
function addressOf({ to, port, from }: ManifestConnection, told: string | undefined): string | undefined {
  return from.global === true ? told : `${to}:${port}`;
}
