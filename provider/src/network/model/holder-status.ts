import { type DeploymentStatus, entryDigest, entryKey, type Manifest, parseManifest } from "@dcx/protocol";
import { NetworkError } from "../driver";
import type { ActualDeployment } from "../snapshot";
import type { Holder } from "./holder";

/** What a holder says of a deployment: it runs at once whatever it has the manifest of. */
export function statusOf(holder: Holder, actual: ActualDeployment | undefined, height: bigint): DeploymentStatus {
  const places = Object.entries(actual?.infrastructures ?? {})
    .filter(([, { lease, successor }]) => [lease?.datacenter, successor?.datacenter].includes(holder.address))
    .map(([name]) => name);
  if (actual === undefined || !actual.active || places.length === 0) {
    throw new NetworkError("refused", `${holder.address} holds no lease of that deployment`);
  }
  const envelope = holder.manifests.get(actual.version);
  const base = { cursor: String(height), height: String(height) };
  if (envelope === undefined) {
    return { ...base, complete: false, workloads: {}, connections: {} };
  }
  const manifest = parseManifest(envelope.manifest);
  return {
    ...base,
    version: actual.version,
    complete: envelope.entries >= actual.manifestEntries,
    workloads: workloadsOf(holder, manifest, places),
    connections: connectionsOf(holder, manifest),
  };
}

function workloadsOf(holder: Holder, manifest: Manifest, places: readonly string[]): DeploymentStatus["workloads"] {
  const workloads: DeploymentStatus["workloads"] = {};
  for (const [name, entry] of Object.entries(manifest.workloads)) {
    if (!places.includes(entry.infrastructure)) {
      continue;
    }
    const desired = entry.count ?? 1;
    workloads[name] = {
      desired,
      entryDigest: entryDigest(manifest.salt, entryKey("workloads", name), entry),
      instances: Array.from({ length: desired }, (_, index) =>
        holder.broken === undefined
          ? { index, state: "ready", restarts: 0 }
          : { index, state: "exited", message: holder.broken, restarts: 3 },
      ),
    };
  }
  return workloads;
}

function connectionsOf(holder: Holder, manifest: Manifest): DeploymentStatus["connections"] {
  const connections: DeploymentStatus["connections"] = {};
  for (const [name, entry] of Object.entries(manifest.connections)) {
    const { from } = entry;
    const told = { established: true, entryDigest: entryDigest(manifest.salt, entryKey("connections", name), entry) };
    connections[name] =
      from.global === true
        ? {
            role: "ingress",
            ...told,
            address: holder.url,
            ...(holder.raw === undefined ? {} : { rawAddress: holder.raw }),
            ...(from.hosts && { hosts: Object.fromEntries(from.hosts.map((host) => [host, unproven])) }),
          }
        : { role: "source", ...told };
  }
  return connections;
}

/** Nobody proves own host names to it. */
const unproven = { served: false, message: "there is no TXT record" };
