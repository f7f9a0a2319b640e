import {
  canonicalManifest,
  entryCount,
  type LeasedInfrastructure,
  type Manifest,
  type ManifestIssue,
  manifestVersion,
  parseManifest,
  type Stamps,
  slotIssues,
} from "@dcx/protocol";
import type { Envelope, Terms } from "../network/snapshot";
import type { DesiredManifest } from "./plan";

/** A manifest as it is sent: its canonical text and the version that this text has. */
export function sealManifest(manifest: Manifest, stamps: Stamps): Envelope {
  const text = canonicalManifest(manifest);
  return {
    version: Buffer.from(manifestVersion(text)).toString("hex"),
    manifest: text,
    entries: entryCount(manifest),
    stamps,
  };
}

const opened = new WeakMap<Envelope, Manifest>();

/**
 * What an envelope holds. Read once for each: a thousand siblings look into the same one.
 * @throws {ManifestError}
 */
export function openManifest(envelope: Envelope): Manifest {
  const known = opened.get(envelope) ?? parseManifest(envelope.manifest);
  opened.set(envelope, known);
  return known;
}

/** What a deployment begins with whose workloads and connections are resources of their own. */
export function emptyManifest(salt: string): Manifest {
  return { schema: 1, salt, workloads: {}, connections: {} };
}

export function desiredManifest(manifest: Manifest, stamps: Stamps): DesiredManifest {
  const volumes: Record<string, string[]> = {};
  for (const [name, workload] of Object.entries(manifest.workloads)) {
    for (const volume of Object.keys(workload.volumes ?? {})) {
      volumes[workload.infrastructure] = [...(volumes[workload.infrastructure] ?? []), `${name}/${volume}`];
    }
  }
  return { envelope: sealManifest(manifest, stamps), placedOn: placedOn(manifest), volumes };
}

/** Infrastructures on which a manifest places something. */
export function placedOn(manifest: Manifest): readonly string[] {
  return [...new Set(Object.values(manifest.workloads).map(({ infrastructure }) => infrastructure))].sort();
}

/** What does not fit its slots, with the paths of the workloads. Infrastructures that are not there are skipped. */
export function slotProblems(
  workloads: Manifest["workloads"],
  infrastructures: Readonly<Record<string, Terms>>,
): readonly ManifestIssue[] {
  return slotIssues(
    workloads,
    Object.entries(infrastructures).map(([name, terms]) => leasedInfrastructure(name, terms)),
  );
}

function leasedInfrastructure(name: string, terms: Terms): LeasedInfrastructure {
  return {
    name,
    resources: terms.resources.map(({ cpu, memory, disk, gpu, price, collateral, count }) => ({
      compute: { cpu, memory, disk, gpu: gpu === undefined ? undefined : { ...gpu } },
      price: price.toString(),
      collateral,
      count,
    })),
  };
}

/** Datacenter infrastructures whose holders say how a connection stands: its source's, or its target's. */
export function connectionPlaces(manifest: Manifest, name: string): readonly string[] {
  const connection = manifest.connections[name];
  if (connection === undefined) {
    return [];
  }
  const { from, to } = connection;
  const source = from.workload ?? to;
  const place = from.infrastructure ?? manifest.workloads[source]?.infrastructure;
  return place === undefined ? [] : [place];
}
