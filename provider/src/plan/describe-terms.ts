import { formatCpu, formatRatePerHour, formatSize, formatTokens } from "@dcx/protocol";
import type { NetworkParameters } from "../network/driver";
import type { Manager, ResourceGroup, Terms } from "../network/snapshot";

/** What differs between two terms; of new ones, what they ask for. */
export function describeTerms(
  before: Terms | undefined,
  after: Terms | undefined,
  parameters: NetworkParameters,
): readonly string[] {
  if (after === undefined) {
    return ["removed"];
  }
  if (before === undefined) {
    return after.resources.map((group) => groupText(group, parameters));
  }
  const changes = [...placeChanges(before, after)];
  for (let index = 0; index < Math.max(before.resources.length, after.resources.length); index++) {
    changes.push(...groupChanges(before.resources[index], after.resources[index], parameters));
  }
  return changes.length === 0 ? ["again"] : changes;
}

function placeChanges(before: Terms, after: Terms): readonly string[] {
  const list = (values: readonly string[]): string => values.map(shortened).join(" ");
  const attributes = (terms: Terms): string =>
    Object.entries(terms.attributes)
      .map(([key, value]) => `${key}=${value}`)
      .sort()
      .join(" ");
  return [
    ...arrow("region", before.region || "any", after.region || "any"),
    ...arrow("attributes", attributes(before) || "none", attributes(after) || "none"),
    ...arrow("allowed", list(before.allowedDatacenters) || "all", list(after.allowedDatacenters) || "all"),
    ...arrow("denied", list(before.deniedDatacenters) || "none", list(after.deniedDatacenters) || "none"),
    ...arrow("persist", String(before.persist), String(after.persist)),
  ];
}

function groupChanges(
  before: ResourceGroup | undefined,
  after: ResourceGroup | undefined,
  parameters: NetworkParameters,
): readonly string[] {
  if (before === undefined || after === undefined) {
    return before === after
      ? []
      : [after === undefined ? "one group less" : `one group more: ${groupText(after, parameters)}`];
  }
  const price = (group: ResourceGroup): string => formatRatePerHour(group.price, parameters.blockInterval);
  return [
    ...arrow("cpu", formatCpu(before.cpu), formatCpu(after.cpu)),
    ...arrow("memory", formatSize(before.memory), formatSize(after.memory)),
    ...arrow("disk", formatSize(before.disk), formatSize(after.disk)),
    ...arrow("gpu", gpuText(before), gpuText(after)),
    ...arrow("count", String(before.count), String(after.count)),
    ...arrow("maximum price", price(before).replace("/h", ""), price(after)),
    ...arrow("collateral", formatTokens(before.collateral), formatTokens(after.collateral)),
  ];
}

function arrow(what: string, before: string, after: string): readonly string[] {
  return before.replace("/h", "") === after.replace("/h", "") ? [] : [`${what} ${before} → ${after}`];
}

function groupText(group: ResourceGroup, parameters: NetworkParameters): string {
  const size = [
    `${formatCpu(group.cpu)} cpu`,
    formatSize(group.memory),
    `${formatSize(group.disk)} disk`,
    ...(group.gpu === undefined ? [] : [`gpu ${gpuText(group)}`]),
  ].join(", ");
  return `${group.count} × ${size} at most ${formatRatePerHour(group.price, parameters.blockInterval)}`;
}

function gpuText({ gpu }: ResourceGroup): string {
  return gpu === undefined ? "none" : [gpu.count, gpu.vendor, gpu.model].filter((part) => part !== "").join(" ");
}

/** What differs between two lists of managers. */
export function describeManagers(before: readonly Manager[], after: readonly Manager[]): string {
  const added = after.filter(({ address }) => !before.some((one) => one.address === address));
  const gone = before.filter(({ address }) => !after.some((one) => one.address === address));
  const kept = after.filter((one) => !added.includes(one));
  const changed = kept.filter((one) => !before.some((old) => sameManager(one, old)));
  return [
    ...added.map(({ address }) => `+${shortened(address)}`),
    ...gone.map(({ address }) => `-${shortened(address)}`),
    ...changed.map(({ address }) => `${shortened(address)} with other limits`),
  ].join(", ");
}

function sameManager(a: Manager, b: Manager): boolean {
  const text = (manager: Manager): string =>
    JSON.stringify(manager, (_key, value: unknown) => (typeof value === "bigint" ? String(value) : value));
  return text(a) === text(b);
}

/** Enough of an address to tell it by. */
export function shortened(address: string): string {
  return address.length <= 14 ? address : `${address.slice(0, 6)}…${address.slice(-2)}`;
}
