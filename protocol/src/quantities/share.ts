import { formatDecimal, parseDecimal, scaleDecimal } from "./decimal";
import { QuantityError } from "./error";

const ALLOWED = "write a share of the whole, from 0 to 1, such as 0.05";
const WHOLE = 10n ** 18n;

/**
 * Reads a share of a whole, such as a validator's commission: `"0.05"`.
 * @returns scaled by 10^18
 * @throws {QuantityError} for anything else
 */
export function parseShare(value: string): bigint {
  const decimal = parseDecimal(value.trim());
  if (decimal === undefined) throw new QuantityError("share", value, "it is not a number", ALLOWED);
  const { quotient, exact } = scaleDecimal(decimal, WHOLE);
  if (!exact) throw new QuantityError("share", value, "it has more than 18 places", ALLOWED);
  if (quotient > WHOLE) throw new QuantityError("share", value, "it is more than the whole", ALLOWED);
  return quotient;
}

/** Prints a share that is scaled by 10^18, exactly: `50000000000000000n` is `0.05`. */
export function formatShare(share: bigint): string {
  return formatDecimal(share, 18);
}
