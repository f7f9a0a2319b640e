import { formatDecimal, parseDecimal, scaleDecimal, writtenText } from "./decimal";
import { QuantityError } from "./error";

/** Most that a quantity of cpu may be, in thousandths: what a JSON number still holds exactly. */
export const MAX_CPU = BigInt(Number.MAX_SAFE_INTEGER);

const ALLOWED = 'write vCPUs such as 1 or 0.5, or thousandths of one such as "500m"';

/**
 * Reads vCPUs (`0.5`, `1`, `"2"`) or thousandths (`"500m"`).
 * @returns thousandths of a vCPU
 * @throws {QuantityError} for anything else, more than {@link MAX_CPU}, or finer than a thousandth
 */
export function parseCpu(value: string | number): bigint {
  const written = writtenText(value);
  const milli = written.endsWith("m");
  const decimal = parseDecimal(milli ? written.slice(0, -1) : written);
  if (decimal === undefined) {
    throw new QuantityError("cpu", written, refusal(written), ALLOWED);
  }
  const { quotient, exact } = scaleDecimal(decimal, milli ? 1n : 1000n);
  if (!exact) {
    throw new QuantityError("cpu", written, "it is finer than a thousandth of a vCPU", ALLOWED);
  }
  if (quotient > MAX_CPU) {
    throw new QuantityError("cpu", written, `it is more than ${MAX_CPU}m`, ALLOWED);
  }
  return quotient;
}

/** Prints thousandths of a vCPU so that {@link parseCpu} reads the same: whole or half vCPUs as `2`, `0.5`. */
export function formatCpu(milli: bigint | number): string {
  const units = BigInt(milli);
  return units % 500n === 0n ? formatDecimal(units, 3) : `${units}m`;
}

function refusal(written: string): string {
  return written.startsWith("-") ? "it is negative" : "it is not a number of vCPUs";
}
