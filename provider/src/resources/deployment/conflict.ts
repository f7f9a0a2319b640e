import { NetworkError, type NetworkParameters } from "../../network/driver";
import type { ActualDeployment } from "../../network/snapshot";
import { sameTerms } from "../../plan/frozen-lease";
import type { Plan } from "../../plan/plan";
import { sameManagers } from "../../plan/plan-deployment";
import { parsePath } from "../../wire/path";
import type { Value, ValueMap } from "../../wire/value";
import { differences } from "../differences";
import { isList, isMap, withoutMarks } from "../inputs/shape";
import { whoChanged } from "../who-changed";
import { allInfrastructures, managerInputs } from "./terms-inputs";

/** Whether what a plan changes is as it was when the plan was made, so that it can be made again and sent again. */
export function touchedUnchanged(plan: Plan, before: ActualDeployment, now: ActualDeployment): boolean {
  for (const step of plan.steps) {
    if (step.kind !== "transaction" || step.transaction.kind !== "update-deployment") {
      continue;
    }
    const { infrastructures, removed, manifest, waitDuration, managers } = step.transaction;
    for (const name of [...Object.keys(infrastructures), ...removed]) {
      const old = before.infrastructures[name];
      const current = now.infrastructures[name];
      if (old === undefined || current === undefined ? old !== current : !sameTerms(old.terms, current.terms)) {
        return false;
      }
    }
    if (
      (manifest !== undefined && before.version !== now.version) ||
      (waitDuration !== undefined && before.waitDuration !== now.waitDuration) ||
      (managers !== undefined && !sameManagers(before.managers, now.managers))
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
  configured: string | undefined,
): NetworkError {
  const inputs = (actual: ActualDeployment): ValueMap => ({
    infrastructures: allInfrastructures(actual, parameters),
    waitDuration: String(actual.waitDuration),
    managers: managerInputsOf(actual, parameters),
  });
  const [old, current] = [inputs(before), inputs(now)];
  const what = Object.keys(differences(old, current, "")).map(
    (path) => `${path} ${textAt(old, path)} → ${textAt(current, path)}`,
  );
  const manifest = before.version === now.version ? [] : ["what runs on it"];
  return new NetworkError(
    "refused",
    `somebody else changed deployment ${id}: ${whoChanged(before, now, configured, [...what, ...manifest])}\n` +
      "  Run `pulumi refresh` to see it, then `pulumi up`.",
  );
}

function managerInputsOf(actual: ActualDeployment, parameters: NetworkParameters): readonly Value[] {
  return actual.managers.map((manager) => managerInputs(manager, parameters));
}

/** What lies at a path, for a person. */
function textAt(map: ValueMap, path: string): string {
  const found = parsePath(path).reduce<Value | undefined>((value, step) => {
    const inner = value === undefined ? undefined : withoutMarks(value);
    if (typeof step === "number") {
      return inner !== undefined && isList(inner) ? inner[step] : undefined;
    }
    return inner !== undefined && isMap(inner) ? inner[step] : undefined;
  }, map);
  if (found === undefined) {
    return "nothing";
  }
  return typeof found === "string" ? found || "any" : JSON.stringify(withoutMarks(found));
}
