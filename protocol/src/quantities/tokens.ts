import { formatDecimal, MAX_UINT64, parseDecimal, scaleDecimal, writtenText } from "./decimal";
import { QuantityError } from "./error";

/** Micro-units of the native token in one token. */
export const MICRO = 1_000_000n;

const ALLOWED = 'write tokens such as 60 or "0.25", or micro-units such as "250000u"';

/**
 * Reads an amount of tokens: tokens (`"60"`, `0.25`) or micro-units (`"250000u"`).
 * @returns micro-units, at most 2^64 - 1
 * @throws {QuantityError} for anything else, and for what is finer than a micro-unit
 */
export function parseTokens(value: string | number): bigint {
  const written = writtenText(value);
  const micro = written.endsWith("u");
  const decimal = parseDecimal(micro ? written.slice(0, -1) : written);
  if (decimal === undefined) {
    const reason = written.startsWith("-") ? "it is negative" : "it is not a number of tokens";
    throw new QuantityError("amount of tokens", written, reason, ALLOWED);
  }
  const { quotient, exact } = scaleDecimal(decimal, micro ? 1n : MICRO);
  if (!exact) {
    throw new QuantityError("amount of tokens", written, "it is finer than a micro-unit (0.000001)", ALLOWED);
  }
  if (quotient > MAX_UINT64) {
    throw new QuantityError("amount of tokens", written, `it is more than ${MAX_UINT64} micro-units`, ALLOWED);
  }
  return quotient;
}

/**
 * Prints micro-units as tokens, exactly: `60000000n` is `60`, `1n` is `0.000001`.
 * @param micro not negative
 */
export function formatTokens(micro: bigint): string {
  return formatDecimal(micro, 6);
}
