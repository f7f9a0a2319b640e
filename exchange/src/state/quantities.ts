import type { Parameters, ResourceGroup } from "@dcx/protocol";
import { invalid } from "./errors";

/** Fixed point: 18 places. */
export const scale = 10n ** 18n;

/** No amount of tokens, and not the supply as a whole, ever passes this (so it also fits a signed 64-bit number). */
export const maxSupply = 2n ** 63n - 1n;

/** Largest size in bytes or thousandths of a CPU. */
export const maxSize = 2n ** 63n - 1n;

/** A price has at most 37 digits, so an order's rate (× 2^32 units × 2^32 groups) fits the 192 bits of its key. */
const pricePattern = /^(0|[1-9][0-9]{0,36})$/;

/** A rate from its decimal text. @throws ExchangeError InvalidMessage naming the field. */
export function parseRate(text: string, field: string): bigint {
  if (!pricePattern.test(text))
    throw invalid(field, "must be a decimal integer of at most 37 digits without sign or leading zero");
  return BigInt(text);
}

/** Rent per block of all units together, scaled: the sum of price × count. */
export function totalRate(groups: readonly ResourceGroup[]): bigint {
  return groups.reduce((sum, group) => sum + BigInt(group.price) * BigInt(group.count), 0n);
}

/** A group's collateral is its total, however many units it has. */
export function totalCollateral(groups: readonly ResourceGroup[]): bigint {
  return groups.reduce((sum, group) => sum + group.collateral, 0n);
}

/** ⌈rate × period⌉ in micro-units: what a lease's deposit holds after each confirmation. */
export function depositFor(rate: bigint, period: bigint): bigint {
  return (rate * period + scale - 1n) / scale;
}

/** Whether a lease last confirmed at `last` with that period is stale at `height`. */
export function isOverdue(last: bigint, period: bigint, height: bigint): boolean {
  return height > last + period;
}

/** By how much the interest accumulator grows a block: min(rate, most interest a block ÷ all matched collateral). */
export function interestStep(parameters: Parameters, matchedCollateral: bigint): bigint {
  const rate = BigInt(parameters.collateralInterestRate);
  if (matchedCollateral === 0n) return rate;
  const cap = (parameters.maxInterestPerBlock * scale) / matchedCollateral;
  return cap < rate ? cap : rate;
}

/** The smaller of two amounts. */
export function lesser(left: bigint, right: bigint): bigint {
  if (left < right) return left;
  return right;
}
