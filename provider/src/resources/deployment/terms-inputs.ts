import { formatCpu, formatRate, formatSize, formatTokens } from "@dcx/protocol";
import type { NetworkParameters } from "../../network/driver";
import type { ActualDeployment, Manager, ResourceGroup, Terms } from "../../network/snapshot";
import { sameTerms } from "../../plan/frozen-lease";
import type { Value, ValueMap } from "../../wire/value";
import { differences } from "../differences";
import { desiredManagers, desiredTerms, desiredWait } from "../inputs/desired";
import { containsUnknown, isMap } from "../inputs/shape";

/**
 * The chain's terms as a program would write them. Where the program's own words mean the same they are kept, so that
 * reading changes no spelling.
 */
export function infrastructuresInputs(
  actual: ActualDeployment,
  known: ValueMap | undefined,
  parameters: NetworkParameters,
): ValueMap {
  const words = known?.["infrastructures"];
  const inputs: Record<string, Value> = {};
  for (const [name, { terms, declaredBy }] of Object.entries(actual.infrastructures)) {
    const own = isMap(words) ? words[name] : undefined;
    if (own === undefined && declaredBy !== actual.tenant) {
      // A manager's: an output, not the program's.
      continue;
    }
    inputs[name] = own === undefined ? termsInputs(terms, undefined, parameters) : inWordsOf(own, terms, parameters);
  }
  return inputs;
}

/** All of them, whoever declared them, each as a program would write it. */
export function allInfrastructures(actual: ActualDeployment, parameters: NetworkParameters): ValueMap {
  return Object.fromEntries(
    Object.entries(actual.infrastructures).map(([name, { terms }]) => [
      name,
      termsInputs(terms, undefined, parameters),
    ]),
  );
}

function inWordsOf(own: Value, terms: Terms, parameters: NetworkParameters): Value {
  if (containsUnknown(own)) {
    return termsInputs(terms, undefined, parameters);
  }
  const said = desiredTerms(own, parameters);
  return sameTerms(said, terms) ? own : termsInputs(terms, isMap(own) ? own : undefined, parameters);
}

function termsInputs(terms: Terms, own: ValueMap | undefined, parameters: NetworkParameters): ValueMap {
  const ownGroups = own?.["resources"];
  return {
    ...(terms.region === "" ? {} : { region: terms.region }),
    ...(Object.keys(terms.attributes).length === 0 ? {} : { attributes: { ...terms.attributes } }),
    ...(terms.allowedDatacenters.length === 0 ? {} : { allowedDatacenters: [...terms.allowedDatacenters] }),
    ...(terms.deniedDatacenters.length === 0 ? {} : { deniedDatacenters: [...terms.deniedDatacenters] }),
    ...(terms.persist ? { persist: true } : {}),
    resources: terms.resources.map((group, index) =>
      groupInputs(group, Array.isArray(ownGroups) ? ownGroups[index] : undefined, own, parameters),
    ),
  };
}

function groupInputs(
  group: ResourceGroup,
  own: Value | undefined,
  infrastructure: ValueMap | undefined,
  parameters: NetworkParameters,
): ValueMap {
  const price = isMap(own) && infrastructure !== undefined ? own["maxPrice"] : undefined;
  const samePrice =
    price !== undefined &&
    desiredTerms({ ...infrastructure, resources: [own ?? {}] }, parameters).resources[0]?.price === group.price;
  return {
    cpu: formatCpu(group.cpu),
    memory: formatSize(group.memory),
    disk: formatSize(group.disk),
    ...(group.gpu === undefined ? {} : { gpu: gpuInputs(group.gpu) }),
    ...(group.count === 1 ? {} : { count: group.count }),
    maxPrice: samePrice ? price : formatRate(group.price, parameters.blockInterval),
    ...(group.collateral === 0n ? {} : { collateral: formatTokens(group.collateral) }),
  };
}

function gpuInputs(gpu: NonNullable<ResourceGroup["gpu"]>): ValueMap {
  return {
    count: gpu.count,
    ...(gpu.vendor === "" ? {} : { vendor: gpu.vendor }),
    ...(gpu.model === "" ? {} : { model: gpu.model }),
  };
}

export function waitInputs(
  actual: ActualDeployment,
  known: ValueMap | undefined,
  parameters: NetworkParameters,
): ValueMap {
  if (
    known !== undefined &&
    !containsUnknown(known["waitDuration"]) &&
    desiredWait(known, parameters) === actual.waitDuration
  ) {
    return known["waitDuration"] === undefined ? {} : { waitDuration: known["waitDuration"] };
  }
  return desiredWait({}, parameters) === actual.waitDuration ? {} : { waitDuration: String(actual.waitDuration) };
}

export function managersInputs(
  actual: ActualDeployment,
  known: ValueMap | undefined,
  parameters: NetworkParameters,
): ValueMap {
  if (known !== undefined && known["managers"] === undefined) {
    return {};
  }
  if (known !== undefined && !containsUnknown(known["managers"])) {
    const said = (desiredManagers(known, parameters) ?? []).map((one) => managerInputs(one, parameters));
    const live = actual.managers.map((one) => managerInputs(one, parameters));
    if (Object.keys(differences(said, live, "managers")).length === 0) {
      return { managers: known["managers"] ?? [] };
    }
  }
  return actual.managers.length === 0 ? {} : { managers: actual.managers.map((one) => managerInputs(one, parameters)) };
}

export function managerInputs(manager: Manager, parameters: NetworkParameters): ValueMap {
  return {
    address: manager.address,
    ...(manager.maxRate === undefined ? {} : { maxPrice: formatRate(manager.maxRate, parameters.blockInterval) }),
    ...(manager.maxCount === 0 ? {} : { maxCount: manager.maxCount }),
    ...(manager.regions.length === 0 ? {} : { regions: [...manager.regions] }),
    ...(manager.datacenters.length === 0 ? {} : { datacenters: [...manager.datacenters] }),
    ...(manager.mayChangeVersion ? { mayChangeVersion: true } : {}),
    ...(manager.endHeight === 0n ? {} : { endHeight: Number(manager.endHeight) }),
  };
}

/** Terms in a form in which two of them are compared path by path: quantities exact, defaults left out. */
export function plainTerms(terms: Terms): ValueMap {
  return {
    ...(terms.region === "" ? {} : { region: terms.region }),
    ...(Object.keys(terms.attributes).length === 0 ? {} : { attributes: { ...terms.attributes } }),
    ...(terms.allowedDatacenters.length === 0 ? {} : { allowedDatacenters: [...terms.allowedDatacenters] }),
    ...(terms.deniedDatacenters.length === 0 ? {} : { deniedDatacenters: [...terms.deniedDatacenters] }),
    persist: terms.persist,
    resources: terms.resources.map((group) => ({
      cpu: String(group.cpu),
      memory: String(group.memory),
      disk: String(group.disk),
      ...(group.gpu === undefined ? {} : { gpu: gpuInputs(group.gpu) }),
      count: group.count,
      maxPrice: String(group.price),
      collateral: String(group.collateral),
    })),
  };
}
