import type { Order, ResourceGroup } from "@dcx/protocol";
import { type Capacity, subtract } from "./capacity";

/** What a strategy may go by. */
export interface PricingSituation {
  readonly order: Order;
  /** All that the datacenter sells. */
  readonly total: Capacity;
  /** What of it is neither sold nor promised. */
  readonly free: Capacity;
}

/** What one compute unit of each of the order's groups costs: micro-units per block scaled by 10^18. */
export type PriceAnswer = { readonly prices: readonly bigint[] } | { readonly refused: string };

/** Asks prices for orders that would fit. */
export interface PricingStrategy {
  prices(situation: PricingSituation): Promise<PriceAnswer>;
}

/** All in micro-units per block, scaled by 10^18. */
export interface FixedRates {
  /** Per virtual CPU. */
  readonly cpu: bigint;
  /** Per GiB. */
  readonly memory: bigint;
  /** Per GiB. */
  readonly disk: bigint;
  /** Per piece. */
  readonly gpu: bigint;
  /** Least that one compute unit costs. */
  readonly floor: bigint;
}

const gibibyte = 1n << 30n;
/** Factors and shares are kept in millionths. */
const million = 1_000_000n;

/** A price list: so much per CPU, memory, disk and GPU, rounded up, and never below the floor. */
export function fixedPricing(rates: FixedRates): PricingStrategy {
  return {
    prices: async ({ order }) => ({
      prices: groupsOf(order).map((group) => atLeast(rates.floor, listed(rates, group))),
    }),
  };
}

/** By what a price list is multiplied when nothing is sold, and when everything is; 1 is the list itself. */
export interface UtilizationFactors {
  readonly empty: number;
  readonly full: number;
}

/**
 * A price list times a factor that moves evenly with how much is sold or promised of whatever there is least left of;
 * rounded up, and never below the floor.
 */
export function utilizationPricing(rates: FixedRates, { empty, full }: UtilizationFactors): PricingStrategy {
  const [low, high] = [millionths(empty), millionths(full)];
  return {
    prices: async ({ order, free, total }) => {
      const factor = low + ((high - low) * utilization(total, free)) / million;
      const priced = (group: ResourceGroup): bigint => ceilDivide(listed(rates, group) * factor, million);
      return { prices: groupsOf(order).map((group) => atLeast(rates.floor, priced(group))) };
    },
  };
}

/** The share that is sold or promised of what there is least left of, in millionths, from 0 to 1,000,000. */
export function utilization(total: Capacity, free: Capacity): bigint {
  const sold = subtract(total, free);
  const shares = (["cpu", "memory", "disk", "gpu"] as const)
    .filter((dimension) => total[dimension] > 0n)
    .map((dimension) => (sold[dimension] * million) / total[dimension]);
  const [most = 0n] = shares.sort((a, b) => Number(b - a));
  return most < million ? most : million;
}

/** The order's resource groups; none where it has no terms. */
export function groupsOf({ terms }: Order): readonly ResourceGroup[] {
  return terms?.resources ?? [];
}

export function atLeast(floor: bigint, price: bigint): bigint {
  return price < floor ? floor : price;
}

function listed(rates: FixedRates, { compute }: ResourceGroup): bigint {
  return (
    ceilDivide((compute?.cpu ?? 0n) * rates.cpu, 1000n) +
    ceilDivide((compute?.memory ?? 0n) * rates.memory, gibibyte) +
    ceilDivide((compute?.disk ?? 0n) * rates.disk, gibibyte) +
    BigInt(compute?.gpu?.count ?? 0) * rates.gpu
  );
}

function millionths(factor: number): bigint {
  return BigInt(Math.round(factor * Number(million)));
}

function ceilDivide(value: bigint, by: bigint): bigint {
  return (value + by - 1n) / by;
}
