import { assignSlots, type Manifest, type ResourceGroup, SlotError } from "@dcx/protocol";
import type { Slot } from "./instances";

/** The slot of each instance by workload, in the order of the instances; or what does not fit, for a person. */
export type AssignedSlots = { readonly slots: ReadonlyMap<string, readonly Slot[]> } | { readonly problem: string };

/** Gives the workloads that are placed in an infrastructure their slots in its lease. */
export function slotsOf(
  manifest: Manifest,
  infrastructure: string,
  resources: readonly ResourceGroup[],
): AssignedSlots {
  const slots = new Map<string, Slot[]>();
  try {
    for (const { workload, limits } of assignSlots(manifest.workloads, {
      name: infrastructure,
      resources: [...resources],
    })) {
      const { cpu, memory, disk } = limits;
      slots.set(workload, [...(slots.get(workload) ?? []), { cpu, memory, disk }]);
    }
    return { slots };
  } catch (error) {
    if (error instanceof SlotError) return { problem: error.message };
    throw error;
  }
}
