import type { Attribute, Datacenter, Isolation, Order, RefusalReason, ResourceGroup } from "@dcx/protocol";
import { type Capacity, shortOf, totalOf } from "./capacity";
import type { PricingStrategy } from "./pricing";

/** Everything a decision depends on. */
export interface BidSituation {
  /** The datacenter's record as it stands on chain. */
  readonly record: Datacenter;
  readonly isolation: Isolation;
  /** The only tenants that a datacenter without isolation serves. */
  readonly trustedTenants: readonly string[];
  /** Limits that the runtime can't enforce; with any of them only trusted tenants are served. */
  readonly unenforced: readonly string[];
  /** All that it sells, and what of it is neither sold nor promised. */
  readonly total: Capacity;
  readonly free: Capacity;
  readonly gpu?: { readonly vendor: string; readonly model: string };
  /** Micro-units that may still be posted. */
  readonly freeCollateral: bigint;
  readonly pricing: PricingStrategy;
  /** Height until which the order's infrastructure excludes this datacenter, because it broke a lease of it. */
  readonly excludedUntil?: bigint;
  readonly height: bigint;
  /** True: the datacenter takes nothing new. */
  readonly draining: boolean;
}

export type BidDecision =
  | {
      readonly willBid: true;
      /** The order's groups at the datacenter's prices. */
      readonly resources: ResourceGroup[];
      /** Sum over the groups: micro-units per block scaled by 10^18. */
      readonly rate: bigint;
      /** Micro-units to post. */
      readonly collateral: bigint;
    }
  | {
      readonly willBid: false;
      readonly reason: RefusalReason;
      readonly message: string;
      /** With "price": what it would ask, scaled by 10^18. */
      readonly rate?: bigint;
    };

type Refused = Extract<BidDecision, { willBid: false }>;

/**
 * Whether to bid on an order, and at which price; the same answer serves quotes. A price is asked for only where the order
 * fits otherwise. As pure as the pricing strategy is.
 * Specification: "SubmitFulfillment"; design: "The datacenter" (skip what it can't fulfil, stop when out of collateral).
 */
export async function decideBid(order: Order, situation: BidSituation): Promise<BidDecision> {
  const refusal = refusalOf(order, situation);
  if (refusal !== undefined) return refusal;
  const { free, pricing, total } = situation;
  const answer = await pricing.prices({ order, free, total });
  if ("refused" in answer) return refuse("price", answer.refused);
  return decidePrice(order.terms?.resources ?? [], answer.prices, situation);
}

/** What there is against an order besides its price. */
function refusalOf(order: Order, situation: BidSituation): Refused | undefined {
  const { record } = situation;
  const terms = order.terms;
  if (terms === undefined) return refuse("capacity", "the order has no terms");
  if (situation.draining) return refuse("draining", `${record.address} is draining and takes no new leases`);
  if (terms.region !== "" && terms.region !== record.region) {
    return refuse("region", `is in region ${record.region}, the order wants ${terms.region}`);
  }
  const missing = missingAttributes(terms.attributes, record.attributes);
  if (missing.length > 0) return refuse("attributes", `has no ${missing.join(", ")}`);
  if (terms.deniedDatacenters.includes(record.address)) return refuse("denied", "is denied by the order");
  if (terms.allowedDatacenters.length > 0 && !terms.allowedDatacenters.includes(record.address)) {
    return refuse("not-allowed", "is not among the datacenters that the order allows");
  }
  if (situation.excludedUntil !== undefined && situation.height <= situation.excludedUntil) {
    return refuse(
      "excluded",
      `broke a lease of this infrastructure and is excluded until block ${situation.excludedUntil}`,
    );
  }
  const isolation = isolationRefusal(order, situation);
  if (isolation !== undefined) return refuse("isolation", isolation);
  const lacking = gpuRefusal(terms.resources, situation);
  if (lacking !== undefined) return refuse("attributes", lacking);
  const short = shortOf(totalOf(terms.resources), situation.free);
  if (short.length > 0) return refuse("capacity", `has not enough free ${short.join(", ")}`);
  return undefined;
}

function decidePrice(
  groups: readonly ResourceGroup[],
  prices: readonly bigint[],
  situation: BidSituation,
): BidDecision {
  const resources = groups.map((group, index) => ({ ...group, price: (prices[index] ?? 0n).toString() }));
  const rate = resources.reduce((sum, group) => sum + BigInt(group.price) * BigInt(group.count), 0n);
  const dear = resources.findIndex((group, index) => BigInt(group.price) > BigInt(groups[index]?.price || "0"));
  if (dear >= 0) {
    return { ...refuse("price", `asks more for group ${dear} than the order's maximum price`), rate };
  }
  const collateral = groups.reduce((sum, group) => sum + group.collateral, 0n);
  if (collateral > situation.freeCollateral) {
    return refuse(
      "collateral",
      `is out of collateral: the order wants ${collateral}, free are ${situation.freeCollateral}`,
    );
  }
  return { willBid: true, resources, rate, collateral };
}

function isolationRefusal(order: Order, situation: BidSituation): string | undefined {
  if (situation.trustedTenants.includes(order.id?.tenant ?? "")) return undefined;
  if (situation.isolation === "none") return "runs workloads without isolation and serves its own user only";
  if (situation.unenforced.length > 0) {
    return `can't enforce limits of ${situation.unenforced.join(", ")} and serves its own user only`;
  }
  return undefined;
}

function gpuRefusal(groups: readonly ResourceGroup[], situation: BidSituation): string | undefined {
  for (const group of groups) {
    const wanted = group.compute?.gpu;
    if (wanted === undefined || wanted.count === 0) continue;
    const vendor = wanted.vendor === "" || wanted.vendor === situation.gpu?.vendor;
    const model = wanted.model === "" || wanted.model === situation.gpu?.model;
    if (situation.gpu === undefined || !vendor || !model) {
      return `has no ${[wanted.vendor, wanted.model].filter((part) => part !== "").join("/") || "gpu"}`;
    }
  }
  return undefined;
}

function missingAttributes(wanted: readonly Attribute[], had: readonly Attribute[]): readonly string[] {
  return wanted
    .filter((attribute) => !had.some((own) => own.key === attribute.key && own.value === attribute.value))
    .map((attribute) => `${attribute.key}=${attribute.value}`);
}

function refuse(reason: RefusalReason, message: string): Refused {
  return { willBid: false, reason, message };
}
