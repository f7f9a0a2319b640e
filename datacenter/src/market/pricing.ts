import type { ResourceGroup } from "@dcx/protocol";

/** Asks a price for one compute unit of a group: micro-units per block scaled by 10^18. */
export interface PricingStrategy {
  unitRate(group: ResourceGroup): bigint;
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

/** A price list: so much per CPU, memory, disk and GPU, rounded up, and never below the floor. */
export function fixedPricing(rates: FixedRates): PricingStrategy {
  return {
    unitRate(group) {
      const compute = group.compute;
      const sum =
        ceilDivide((compute?.cpu ?? 0n) * rates.cpu, 1000n) +
        ceilDivide((compute?.memory ?? 0n) * rates.memory, gibibyte) +
        ceilDivide((compute?.disk ?? 0n) * rates.disk, gibibyte) +
        BigInt(compute?.gpu?.count ?? 0) * rates.gpu;
      return sum > rates.floor ? sum : rates.floor;
    },
  };
}

function ceilDivide(value: bigint, by: bigint): bigint {
  return (value + by - 1n) / by;
}
