import {
  type Attribute,
  type Compute,
  type Datacenter,
  ExchangeErrorCode,
  type Infrastructure,
  type Lease,
  type Order,
  type ResourceGroup,
} from "@dcx/protocol";
import { ExchangeError } from "./errors";
import { describeOrder } from "./keys";
import { termsOf } from "./orders";
import { exclusions, infrastructureOf, orderIdOf } from "./records";
import type { KeyValueReader } from "./store";

/** What of a datacenter counts against terms: its record, or what a lease has frozen of it. */
interface Offerer {
  readonly datacenter: string;
  readonly region: string;
  readonly attributes: readonly Attribute[];
}

function asOfferer(datacenter: Datacenter): Offerer {
  return { datacenter: datacenter.address, region: datacenter.region, attributes: datacenter.attributes };
}

/** Why a datacenter does not meet terms: region, attributes, lists; undefined: it does. */
function termsProblem(terms: Infrastructure, offerer: Offerer): string | undefined {
  if (terms.region !== "" && terms.region !== offerer.region)
    return `region is "${offerer.region}", asked for is "${terms.region}"`;
  for (const { key, value } of terms.attributes) {
    const own = offerer.attributes.find((attribute) => attribute.key === key);
    if (own === undefined) return `attribute "${key}" is missing`;
    if (own.value !== value) return `attribute "${key}" is "${own.value}", asked for is "${value}"`;
  }
  if (terms.allowedDatacenters.length > 0 && !terms.allowedDatacenters.includes(offerer.datacenter))
    return "it is not among the allowed datacenters";
  if (terms.deniedDatacenters.includes(offerer.datacenter)) return "it is among the denied datacenters";
  return undefined;
}

/**
 * Whether a datacenter may (still) fulfil an order: its record meets the terms, and it broke no lease of this
 * infrastructure within the exclusion period. Undefined: it may. PERF: one read, and the terms' attributes.
 */
export function admissionRefusal(
  store: KeyValueReader,
  height: bigint,
  order: Order,
  datacenter: Datacenter,
): ExchangeError | undefined {
  const id = orderIdOf(order);
  const problem = termsProblem(termsOf(order), asOfferer(datacenter));
  if (problem !== undefined)
    return new ExchangeError(
      ExchangeErrorCode.TermsNotMet,
      `${datacenter.address} can't fulfil order ${describeOrder(id)}: ${problem}`,
    );
  const exclusion = exclusions.get(store, { infrastructure: infrastructureOf(id), datacenter: datacenter.address });
  if (exclusion !== undefined && height <= exclusion.endHeight)
    return new ExchangeError(
      ExchangeErrorCode.Excluded,
      `${datacenter.address} broke a lease of ${id.infrastructure} and is excluded up to block ${exclusion.endHeight}`,
    );
  return undefined;
}

function sameCompute(left: Compute | undefined, right: Compute | undefined): boolean {
  if (left === undefined || right === undefined) return left === right;
  return (
    left.cpu === right.cpu &&
    left.memory === right.memory &&
    left.disk === right.disk &&
    (left.gpu?.count ?? 0) === (right.gpu?.count ?? 0) &&
    (left.gpu?.vendor ?? "") === (right.gpu?.vendor ?? "") &&
    (left.gpu?.model ?? "") === (right.gpu?.model ?? "")
  );
}

/** Why groups are no offer on (or no longer fit under) the asked ones; undefined: they are. Prices per unit. */
export function offerProblem(asked: readonly ResourceGroup[], offered: readonly ResourceGroup[]): string | undefined {
  if (asked.length !== offered.length) return `${offered.length} groups, asked for are ${asked.length}`;
  for (const [index, group] of asked.entries()) {
    const offer = offered[index];
    if (offer === undefined || !sameCompute(group.compute, offer.compute)) return `group ${index}: compute differs`;
    if (offer.count !== group.count) return `group ${index}: count is ${offer.count}, asked for is ${group.count}`;
    if (offer.collateral !== group.collateral)
      return `group ${index}: collateral is ${offer.collateral}, asked for is ${group.collateral}`;
    if (BigInt(offer.price) > BigInt(group.price))
      return `group ${index}: price is ${offer.price}, the most is ${group.price}`;
  }
  return undefined;
}

/** Whether an active lease, as frozen at its match, still meets terms: then they change in place. */
export function leaseMeets(lease: Lease, terms: Infrastructure): boolean {
  return termsProblem(terms, lease) === undefined && offerProblem(terms.resources, lease.resources) === undefined;
}

/**
 * Whether new terms differ from the old ones only in what an open order takes in place, its bids staying: `persist`,
 * and prices that are higher. (All of it the same counts too.)
 */
export function changesInPlace(before: Infrastructure, after: Infrastructure): boolean {
  return (
    before.region === after.region &&
    sameList(before.allowedDatacenters, after.allowedDatacenters) &&
    sameList(before.deniedDatacenters, after.deniedDatacenters) &&
    sameList(before.attributes.map(attributeText), after.attributes.map(attributeText)) &&
    // The old groups as an offer under the new ones: equal but for prices, and none lower.
    offerProblem(after.resources, before.resources) === undefined
  );
}

/** Whether nothing differs at all. */
export function sameTerms(before: Infrastructure, after: Infrastructure): boolean {
  return before.persist === after.persist && changesInPlace(before, after) && changesInPlace(after, before);
}

function sameList(left: readonly string[], right: readonly string[]): boolean {
  return left.length === right.length && left.every((one, index) => one === right[index]);
}

function attributeText(attribute: Attribute): string {
  return `${attribute.key}\0${attribute.value}`;
}
