import { fromBech32 } from "@cosmjs/encoding";
import {
  type Attribute,
  type Compute,
  type DeploymentId,
  ExchangeErrorCode,
  type FulfillmentId,
  type Infrastructure,
  type Manager,
  type OrderId,
  type Parameters,
  type ResourceGroup,
} from "@dcx/protocol";
import { ExchangeError, invalid } from "./errors";
import { maxSize, maxSupply, parseRate, totalCollateral } from "./quantities";
import { getChain } from "./records";
import type { KeyValueReader } from "./store";

const namePattern = /^[A-Za-z0-9][A-Za-z0-9._-]*$/;
const textPattern = /^[\x20-\x7e]*$/;
/** What may stand in a key at all; whether it is an address shows when no record is found under it. */
const keyTextPattern = /^[A-Za-z0-9._-]{1,200}$/;
const addressBytes = 20;

/** @throws ExchangeError InvalidAddress unless it is bech32 of 20 bytes, in lower case, with this chain's prefix */
export function checkAddress(store: KeyValueReader, address: string, field: string): void {
  const { addressPrefix } = getChain(store);
  const problem = addressProblem(address, addressPrefix);
  if (problem !== undefined) throw new ExchangeError(ExchangeErrorCode.InvalidAddress, `${field}: ${problem}`);
}

// Addresses found good, by address: their prefix. The same ones come again and again, and the checksum takes long.
const goodAddresses = new Map<string, string>();
const mostGoodAddresses = 10_000;

/** Why a text is no address with that prefix; undefined: it is one. */
export function addressProblem(address: string, prefix: string): string | undefined {
  if (goodAddresses.get(address) === prefix) return undefined;
  const problem = findAddressProblem(address, prefix);
  if (problem === undefined) {
    if (goodAddresses.size >= mostGoodAddresses) goodAddresses.clear();
    goodAddresses.set(address, prefix);
  }
  return problem;
}

function findAddressProblem(address: string, prefix: string): string | undefined {
  if (!keyTextPattern.test(address)) return "must be a bech32 address";
  try {
    const decoded = fromBech32(address, 200);
    if (decoded.prefix !== prefix)
      return `"${address}" has the prefix "${decoded.prefix}", this chain's is "${prefix}"`;
    if (decoded.data.length !== addressBytes) return `"${address}" must hold ${addressBytes} bytes`;
    return address === address.toLowerCase() ? undefined : `"${address}" must be in lower case`;
  } catch {
    return `"${address}" is not a bech32 address`;
  }
}

function keyText(text: string, field: string): string {
  if (!keyTextPattern.test(text)) throw invalid(field, "must be 1 to 200 letters, digits, dots, dashes or underscores");
  return text;
}

/** An id that may be looked up: what it holds can't reach another table's keys. */
export function checkDeploymentId(id: DeploymentId | undefined, field = "id"): DeploymentId {
  if (id === undefined) throw invalid(field, "is missing");
  keyText(id.tenant, `${field}.tenant`);
  return id;
}

export function checkOrderId(id: OrderId | undefined, field: string): OrderId {
  if (id === undefined) throw invalid(field, "is missing");
  keyText(id.tenant, `${field}.tenant`);
  keyText(id.infrastructure, `${field}.infrastructure`);
  return id;
}

/** Whether it may be looked up, as `checkOrderId` has it. */
export function isOrderId(id: OrderId): boolean {
  return keyTextPattern.test(id.tenant) && keyTextPattern.test(id.infrastructure);
}

export function checkFulfillmentId(id: FulfillmentId | undefined, field: string): { order: OrderId; index: number } {
  if (id === undefined) throw invalid(field, "is missing");
  return { order: checkOrderId(id.order, `${field}.order`), index: id.index };
}

export function checkBytes(bytes: Uint8Array, length: number, field: string): void {
  if (bytes.length !== length) throw invalid(field, `must be ${length} bytes, not ${bytes.length}`);
}

export function checkText(parameters: Parameters, text: string, field: string): void {
  if (text.length > parameters.maxTextBytes) throw invalid(field, `is longer than ${parameters.maxTextBytes} bytes`);
  if (!textPattern.test(text)) throw invalid(field, "must be printable ASCII");
}

export function checkName(parameters: Parameters, name: string, field: string): void {
  checkText(parameters, name, field);
  if (!namePattern.test(name) || name.length > 63)
    throw invalid(
      field,
      `"${name}" must be 1 to 63 letters, digits, ".", "_" or "-", and begin with a letter or digit`,
    );
}

function checkRegion(parameters: Parameters, region: string, field: string): void {
  if (region !== "") checkName(parameters, region, field);
}

function checkMost(count: number, most: number, field: string): void {
  if (count > most) throw new ExchangeError(ExchangeErrorCode.LimitExceeded, `${field}: ${count}, at most ${most}`);
}

/** Sorted by key; refused where a key is empty or there twice. */
export function checkedAttributes(
  parameters: Parameters,
  attributes: readonly Attribute[],
  field: string,
): Attribute[] {
  checkMost(attributes.length, parameters.maxAttributes, field);
  const sorted = attributes.toSorted((left, right) => compareText(left.key, right.key));
  for (const [index, attribute] of sorted.entries()) {
    if (attribute.key === "") throw invalid(field, "has an empty key");
    checkText(parameters, attribute.key, `${field} key`);
    checkText(parameters, attribute.value, `${field}.${attribute.key}`);
    if (index > 0 && sorted[index - 1]?.key === attribute.key) throw invalid(field, `has "${attribute.key}" twice`);
  }
  return sorted;
}

/** By bytes: texts here are ASCII, where JavaScript's order is byte order. */
export function compareText(left: string, right: string): number {
  return left < right ? -1 : left > right ? 1 : 0;
}

function checkAddresses(store: KeyValueReader, parameters: Parameters, addresses: readonly string[], field: string) {
  checkMost(addresses.length, parameters.maxAttributes, field);
  for (const address of addresses) checkAddress(store, address, field);
  if (new Set(addresses).size !== addresses.length) throw invalid(field, "has an address twice");
}

function checkedCompute(parameters: Parameters, compute: Compute | undefined, field: string): Compute {
  if (compute === undefined) throw invalid(field, "is missing");
  for (const [name, value, least] of [
    ["cpu", compute.cpu, 1n],
    ["memory", compute.memory, 1n],
    ["disk", compute.disk, 0n],
  ] as const)
    if (value < least || value > maxSize) throw invalid(`${field}.${name}`, `must be ${least} to ${maxSize}`);
  const { gpu } = compute;
  // A GPU demand of none is no demand, so that equal terms are equal records.
  if (gpu === undefined || gpu.count === 0) return { ...compute, gpu: undefined };
  checkMost(gpu.count, parameters.maxCount, `${field}.gpu.count`);
  checkText(parameters, gpu.vendor, `${field}.gpu.vendor`);
  checkText(parameters, gpu.model, `${field}.gpu.model`);
  return compute;
}

/** Resource groups of terms or of an offer, in their given order. @throws ExchangeError */
export function checkedGroups(
  parameters: Parameters,
  groups: readonly ResourceGroup[],
  field: string,
): ResourceGroup[] {
  if (groups.length === 0) throw invalid(field, "must not be empty");
  checkMost(groups.length, parameters.maxGroups, field);
  const checked = groups.map((group, index) => {
    const at = `${field}[${index}]`;
    parseRate(group.price, `${at}.price`);
    if (group.count < 1) throw invalid(`${at}.count`, "must be at least 1");
    checkMost(group.count, parameters.maxCount, `${at}.count`);
    return { ...group, compute: checkedCompute(parameters, group.compute, `${at}.compute`) };
  });
  if (totalCollateral(checked) > maxSupply) throw invalid(field, `collateral adds up to more than ${maxSupply}`);
  return checked;
}

/** The terms as they are recorded: attributes sorted. @throws ExchangeError naming the field */
function checkedInfrastructure(
  store: KeyValueReader,
  parameters: Parameters,
  infrastructure: Infrastructure,
): Infrastructure {
  checkName(parameters, infrastructure.name, "infrastructure name");
  const field = `infrastructures.${infrastructure.name}`;
  checkRegion(parameters, infrastructure.region, `${field}.region`);
  checkAddresses(store, parameters, infrastructure.allowedDatacenters, `${field}.allowed_datacenters`);
  checkAddresses(store, parameters, infrastructure.deniedDatacenters, `${field}.denied_datacenters`);
  return {
    ...infrastructure,
    allowedDatacenters: infrastructure.allowedDatacenters.toSorted(compareText),
    deniedDatacenters: infrastructure.deniedDatacenters.toSorted(compareText),
    attributes: checkedAttributes(parameters, infrastructure.attributes, `${field}.attributes`),
    resources: checkedGroups(parameters, infrastructure.resources, `${field}.resources`),
  };
}

/** Sorted by name; refused where a name is there twice. */
export function checkedInfrastructures(
  store: KeyValueReader,
  parameters: Parameters,
  infrastructures: readonly Infrastructure[],
): Infrastructure[] {
  checkInfrastructureCount(parameters, infrastructures.length);
  const checked = infrastructures
    .map((infrastructure) => checkedInfrastructure(store, parameters, infrastructure))
    .toSorted((left, right) => compareText(left.name, right.name));
  for (const [index, { name }] of checked.entries())
    if (index > 0 && checked[index - 1]?.name === name) throw invalid("infrastructures", `has "${name}" twice`);
  return checked;
}

export function checkInfrastructureCount(parameters: Parameters, count: number): void {
  checkMost(count, parameters.maxInfrastructures, "infrastructures");
}

export function checkManagers(store: KeyValueReader, parameters: Parameters, managers: readonly Manager[]): void {
  checkMost(managers.length, parameters.maxManagers, "managers");
  for (const { address, limits } of managers) {
    checkAddress(store, address, "managers.address");
    if (limits === undefined) continue;
    if (limits.maxRate !== "") parseRate(limits.maxRate, "managers.limits.max_rate");
    checkMost(limits.regions.length, parameters.maxAttributes, "managers.limits.regions");
    for (const region of limits.regions) checkName(parameters, region, "managers.limits.regions");
    checkAddresses(store, parameters, limits.datacenters, "managers.limits.datacenters");
  }
  if (new Set(managers.map((manager) => manager.address)).size !== managers.length)
    throw invalid("managers", "has an address twice");
}

export function checkWait(parameters: Parameters, blocks: bigint): void {
  if (blocks > parameters.maxWaitDuration)
    throw invalid("wait_duration", `${blocks} blocks, at most ${parameters.maxWaitDuration}`);
}
