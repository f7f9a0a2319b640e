import { type IsolationClass, isolationClasses } from "../../configuration/configuration";
import type { Value, ValueMap } from "../../wire/value";
import { isMap, type Problems } from "../inputs/shape";

/**
 * Inputs of a deployment whose infrastructures all ask for at least this isolation of their datacenter, by the
 * attributes that datacenters register (`isolation`: the class; `isolated`: whether it is more than none). What an
 * infrastructure asks for itself stays, and is a problem where it is less.
 */
export function withMinimumIsolation(
  inputs: ValueMap,
  minimum: IsolationClass | undefined,
  problems: Problems,
): ValueMap {
  const { infrastructures } = inputs;
  if (minimum === undefined || minimum === "none" || !isMap(infrastructures)) {
    return inputs;
  }
  const changed = Object.entries(infrastructures).map(([name, infrastructure]): [string, Value] => {
    const attributes = isMap(infrastructure) ? (infrastructure["attributes"] ?? {}) : undefined;
    if (!isMap(infrastructure) || !isMap(attributes)) {
      return [name, infrastructure];
    }
    const path = `infrastructures.${name}.attributes`;
    const { isolation, isolated } = attributes;
    if (isolation === undefined) {
      if (isolated === "false") {
        problems.add(`${path}.isolated`, lessThan("false", minimum));
      }
      const asked = minimum === "container" ? { isolation: minimum } : { isolated: "true" };
      return [name, { ...infrastructure, attributes: { ...attributes, ...asked } }];
    }
    const own = (isolationClasses as readonly unknown[]).indexOf(isolation);
    if (own >= 0 && own < isolationClasses.indexOf(minimum)) {
      problems.add(`${path}.isolation`, lessThan(String(isolation), minimum));
    }
    return [name, infrastructure];
  });
  return { ...inputs, infrastructures: Object.fromEntries(changed) };
}

function lessThan(own: string, minimum: IsolationClass): string {
  return (
    `is ${own}, and this provider takes no datacenter below ${minimum} (dcx:minimumIsolation). Leave it out, or ask for ` +
    "more"
  );
}
