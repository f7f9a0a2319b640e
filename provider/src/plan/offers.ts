import { formatRatePerHour } from "@dcx/protocol";
import type { Terms } from "../network/snapshot";
import type { Consequence } from "./plan";
import { highestRate } from "./plan-deployment";

export interface Bid {
  readonly datacenter: string;
  /** For the whole infrastructure. */
  readonly rate: bigint;
}

export interface Refused {
  readonly datacenter: string;
  /** A `RefusalReason` of the agents, `unreachable`, or `refused`: it does not tell. */
  readonly reason: string;
  readonly message: string;
  /** Where the price is the reason: what it would ask. */
  readonly rate: bigint | undefined;
}

/** Both in the order of the chain's own choice: the cheapest first. */
export interface Quotes {
  readonly bids: readonly Bid[];
  readonly refusals: readonly Refused[];
}

/** Outcomes after which an order is open that datacenters bid on anew. */
const ORDERED: ReadonlySet<Consequence["outcome"]> = new Set([
  "opens",
  "reopens-order",
  "reprices-order",
  "replaces-lease",
]);

/** What a plan puts up for bids, by infrastructure. */
export function offeredTerms(consequences: readonly Consequence[]): Readonly<Record<string, Terms>> {
  return Object.fromEntries(
    consequences.flatMap(({ infrastructure, outcome, after }) =>
      ORDERED.has(outcome) && after !== undefined ? [[infrastructure, after] as const] : [],
    ),
  );
}

/** Reasons that a tenant's own terms give: whoever is elsewhere is no news. */
const RULED_OUT: ReadonlySet<string> = new Set(["region", "denied", "not-allowed"]);
/** Names of datacenters that give the same reason before the rest is counted. */
const NAMED = 2;

/**
 * Who would serve these terms now, for a person: the cheapest, or why nobody would. A datacenter's answer of this moment,
 * not a promise.
 * @param name how a datacenter is called
 * @param blockInterval milliseconds
 */
export function offerText(
  { bids, refusals }: Quotes,
  terms: Terms,
  name: (datacenter: string) => string,
  blockInterval: number,
): string {
  const [cheapest] = bids;
  if (cheapest !== undefined) {
    const others = bids.length === 1 ? "" : `, the cheapest of ${bids.length}`;
    return `${name(cheapest.datacenter)} would serve it now for ${formatRatePerHour(cheapest.rate, blockInterval)}${others}`;
  }
  const open = refusals.filter(({ reason }) => !RULED_OUT.has(reason));
  if (open.length === 0) {
    const where = terms.region === "" ? "" : ` in region ${terms.region}`;
    return `nobody would serve it now: no datacenter${where} is one that it allows`;
  }
  const reasons = new Map<string, string[]>();
  for (const refusal of open) {
    const text = refusalText(refusal, terms, blockInterval);
    reasons.set(text, [...(reasons.get(text) ?? []), name(refusal.datacenter)]);
  }
  const texts = [...reasons].map(([text, names]) => {
    const more = names.length - NAMED;
    return `${names.slice(0, NAMED).join(", ")}${more > 0 ? ` and ${more} more` : ""}: ${text}`;
  });
  return `nobody would serve it now: ${texts.join("; ")}`;
}

function refusalText({ reason, message, rate }: Refused, terms: Terms, blockInterval: number): string {
  if (reason === "price" && rate !== undefined) return priceText(rate, terms, blockInterval);
  return reason === "unreachable" ? "does not answer" : message;
}

/** Why a datacenter that is too dear would not serve these terms. @param blockInterval milliseconds */
export function priceText(asked: bigint, terms: Terms, blockInterval: number): string {
  const [rate, most] = [asked, highestRate(terms)].map((one) => formatRatePerHour(one, blockInterval));
  return `asks ${rate}, your maximum is ${most}`;
}
