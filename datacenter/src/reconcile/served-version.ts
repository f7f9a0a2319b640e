import type { ObservedInstance } from "../runtime/runtime";
import type { Health } from "./health";
import type { LeaseTarget } from "./lease-target";

/**
 * The version that serves a lease: the one it is to run, when every instance of it serves; while that one comes up the
 * version confirmed last, as long as anything serves. Undefined: none. A successor, which ends another lease by saying
 * so, also has to accept streams where connections lead to it. Pure.
 * Specification: "LeaseConfirmation"; design: "Replacing a lease" (until the deployment's version serves).
 */
export function servedVersion(
  target: LeaseTarget,
  observed: readonly ObservedInstance[],
  health: (id: string) => Health | undefined,
  accepts: (id: string) => boolean,
): Uint8Array | undefined {
  const serves = (id: string): boolean => health(id)?.serving === "yes";
  const confirmed = target.record.confirmedVersion;
  const whole = target.complete || !target.current;
  if (target.version !== undefined && whole) {
    const wanted = target.workloads.flatMap(({ instances }) => instances);
    if (wanted.every(({ id }) => serves(id) && (!target.successor || accepts(id))))
      return Buffer.from(target.version, "hex");
  }
  if (confirmed.length === 0 || Buffer.from(confirmed).toString("hex") === target.version) return undefined;
  const running = observed.some(({ id, labels }) => labels.lease === target.placement.lease && serves(id));
  return running ? confirmed : undefined;
}
