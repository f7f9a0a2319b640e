import { entryDigest, entryKey } from "@dcx/protocol";
import type { ObservedInstance } from "../runtime/runtime";
import type { LeaseTarget } from "./lease-target";

/**
 * Digest of a workload's entry as it runs: undefined while an instance of another version is still there, or none of
 * this one is. Pure.
 */
export function runningEntry(
  { manifest, placement, workloads }: LeaseTarget,
  workload: string,
  observed: readonly ObservedInstance[],
): string | undefined {
  const entry = manifest?.workloads[workload];
  if (manifest === undefined || entry === undefined) return undefined;
  const wanted = new Set(
    workloads.flatMap((each) => (each.workload === workload ? each.instances.map(({ id }) => id) : [])),
  );
  const ours = observed.filter(({ labels }) => labels.lease === placement.lease && labels.workload === workload);
  if (ours.length === 0 || !ours.every(({ id }) => wanted.has(id))) return undefined;
  return entryDigest(manifest.salt, entryKey("workloads", workload), entry);
}
