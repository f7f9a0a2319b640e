import { NetworkError, type NetworkParameters } from "../../network/driver";
import type { ActualDeployment } from "../../network/snapshot";
import { sameTerms } from "../../plan/frozen-lease";
import type { Plan } from "../../plan/plan";
import { differences } from "../differences";
import { infrastructuresInputs } from "./terms-inputs";

/** Whether what a plan changes is as it was when the plan was made, so that it can be made again and sent again. */
export function touchedUnchanged(plan: Plan, before: ActualDeployment, now: ActualDeployment): boolean {
  for (const step of plan.steps) {
    if (step.kind !== "transaction" || step.transaction.kind !== "update-deployment") {
      continue;
    }
    const { infrastructures, removed, manifest, waitDuration } = step.transaction;
    for (const name of [...Object.keys(infrastructures), ...removed]) {
      const old = before.infrastructures[name];
      const current = now.infrastructures[name];
      if (old === undefined || current === undefined ? old !== current : !sameTerms(old.terms, current.terms)) {
        return false;
      }
    }
    if (
      (manifest !== undefined && before.version !== now.version) ||
      (waitDuration !== undefined && before.waitDuration !== now.waitDuration)
    ) {
      return false;
    }
  }
  return true;
}

/** Names who changed a deployment under us, and what. */
export function somebodyElseChanged(
  id: string,
  before: ActualDeployment,
  now: ActualDeployment,
  parameters: NetworkParameters,
): NetworkError {
  const changes = differences(
    infrastructuresInputs(before, undefined, parameters),
    infrastructuresInputs(now, undefined, parameters),
    "infrastructures",
  );
  const what = [...Object.keys(changes), ...(before.version === now.version ? [] : ["the manifest"])].join(", ");
  const manager = now.managers.some(({ address }) => address === now.lastChange?.by) ? " (manager)" : "";
  const who =
    now.lastChange === undefined
      ? ""
      : `\n  by ${now.lastChange.by}${manager} in transaction ${now.lastChange.transaction} at block ${now.lastChange.height}: ${what}`;
  return new NetworkError(
    "refused",
    `somebody else changed deployment ${id}: revision ${before.revision} → ${now.revision}${who}\n` +
      "  Run `pulumi refresh` to see it, then `pulumi up`.",
  );
}
