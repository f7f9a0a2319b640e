import type { Quote } from "@dcx/protocol";
import { highestRate } from "../../plan/plan-deployment";
import type { DatacenterRecord } from "../driver";
import type { Envelope, Terms } from "../snapshot";

/** A datacenter of the model network. */
export interface Holder extends DatacenterRecord {
  /** Whether its agent answers. */
  up: boolean;
  /** What it asks for one compute unit, as a rate. */
  readonly asks: bigint;
  readonly manifests: Map<string, Envelope>;
  /** Whether instances become ready, and what is said when they don't. */
  broken: string | undefined;
  /** Where its global connections are reached. */
  url: string;
  /** Host and port at which they are reached besides, where `url` has a host name. */
  raw: string | undefined;
}

/** What it would say of these terms. */
export function quoteOf(holder: Holder, terms: Terms): Quote {
  if (terms.region !== "" && terms.region !== holder.region) {
    return { willBid: false, reason: "region", message: `it is in ${holder.region}` };
  }
  const rate = rateOf(holder, terms);
  return rate > highestRate(terms)
    ? { willBid: false, reason: "price", message: "your maximum is below its price", rate: String(rate) }
    : { willBid: true, rate: String(rate) };
}

/** Whether it may and would serve these terms. */
export function fits(holder: Holder, terms: Terms): boolean {
  return (
    holder.up &&
    (terms.region === "" || terms.region === holder.region) &&
    Object.entries(terms.attributes).every(([key, value]) => holder.attributes[key] === value) &&
    !terms.deniedDatacenters.includes(holder.address) &&
    (terms.allowedDatacenters.length === 0 || terms.allowedDatacenters.includes(holder.address)) &&
    terms.resources.every(({ price }) => holder.asks <= price)
  );
}

/** What it asks for all of it, as a rate. */
export function rateOf(holder: Holder, terms: Terms): bigint {
  return terms.resources.reduce((sum, { count }) => sum + holder.asks * BigInt(count), 0n);
}
