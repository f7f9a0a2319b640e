import { type Lease, type LeaseConfirmation, orderKey } from "@dcx/protocol";

/** What the agent knows of the version that serves a lease. */
export type ServedVersion = (lease: string) => Uint8Array | undefined;

/**
 * The confirmations that are due: half a reconfirmation period after the last, so that the other half is left for what
 * goes wrong; and at once when a version serves that the chain does not know of yet, for a successor waits for that.
 * Those that have least time left come first. Pure. Specification: "LeaseConfirmation".
 */
export function dueConfirmations(
  leases: Iterable<Lease>,
  height: bigint,
  served: ServedVersion,
): readonly LeaseConfirmation[] {
  const due: { readonly left: bigint; readonly confirmation: LeaseConfirmation }[] = [];
  for (const lease of leases) {
    if (lease.id === undefined) continue;
    const version = served(orderKey(lease.id));
    const elapsed = height - lease.lastConfirmedHeight;
    const isNew = version !== undefined && Buffer.compare(version, lease.confirmedVersion) !== 0;
    if (!isNew && elapsed * 2n < lease.reconfirmationPeriod) continue;
    due.push({
      left: lease.reconfirmationPeriod - elapsed,
      confirmation: { lease: lease.id, version: Buffer.from(version ?? []) },
    });
  }
  return due.sort((a, b) => Number(a.left - b.left)).map(({ confirmation }) => confirmation);
}
