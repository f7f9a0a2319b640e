import type { ActualDeployment } from "../network/snapshot";

/**
 * Who changed a deployment since `before`, as `revision 12 → 13\n  by … in transaction … at block …: what`. The chain
 * says it of the newest change alone.
 * @param configured the account of this process
 */
export function whoChanged(
  before: ActualDeployment,
  now: ActualDeployment,
  configured: string | undefined,
  what: readonly string[],
): string {
  const revisions = `revision ${before.revision} → ${now.revision}`;
  const change = now.lastChange;
  if (change === undefined) {
    return [revisions, ...what.map((line) => `  ${line}`)].join("\n");
  }
  const role =
    change.by === configured
      ? " (this account, in another run)"
      : now.managers.some(({ address }) => address === change.by)
        ? " (manager)"
        : change.by === now.tenant
          ? " (tenant)"
          : "";
  const last = now.revision - before.revision > 1n ? "the last of these " : "";
  const head = `${revisions}\n  ${last}by ${change.by}${role} in transaction ${change.transaction} at block ${change.height}`;
  return what.length === 1 ? `${head}: ${what[0]}` : [head, ...what.map((line) => `    ${line}`)].join("\n");
}
