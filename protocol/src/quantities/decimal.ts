/** A non-negative decimal number, exactly: `digits` × 10^-`scale`. */
export interface Decimal {
  readonly digits: bigint;
  readonly scale: number;
}

const DECIMAL = /^(\d{1,60})(?:\.(\d{1,60}))?(?:[eE]([+-]?\d{1,2}))?$/;

/** Reads `12`, `0.5`, `1e-7` exactly. `undefined`: it is none of these, or has more than 60 digits on a side. */
export function parseDecimal(text: string): Decimal | undefined {
  const match = DECIMAL.exec(text);
  if (match === null) {
    return undefined;
  }
  const [, whole = "", fraction = "", exponent = "0"] = match;
  const digits = BigInt(whole + fraction);
  const scale = fraction.length - Number(exponent);
  return scale >= 0 ? { digits, scale } : { digits: digits * 10n ** BigInt(-scale), scale: 0 };
}

/** `value` × `numerator` ÷ `denominator`, rounded down, and whether that was exact. */
export function scaleDecimal(
  value: Decimal,
  numerator: bigint,
  denominator = 1n,
): { readonly quotient: bigint; readonly exact: boolean } {
  const divisor = denominator * 10n ** BigInt(value.scale);
  const product = value.digits * numerator;
  return { quotient: product / divisor, exact: product % divisor === 0n };
}

/**
 * Prints `units` × 10^-`places` with at least `minimumDecimals` decimals and no other trailing zeros.
 * @param units not negative
 */
export function formatDecimal(units: bigint, places: number, minimumDecimals = 0): string {
  const text = units.toString().padStart(places + 1, "0");
  const whole = text.slice(0, text.length - places);
  let fraction = places === 0 ? "" : text.slice(-places);
  while (fraction.length > minimumDecimals && fraction.endsWith("0")) {
    fraction = fraction.slice(0, -1);
  }
  return fraction === "" ? whole : `${whole}.${fraction.padEnd(minimumDecimals, "0")}`;
}

/** The quotient of two non-negative integers, rounded up. */
export function divideUp(dividend: bigint, divisor: bigint): bigint {
  return (dividend + divisor - 1n) / divisor;
}

/** The quotient of two non-negative integers, rounded to the nearest, halves up. */
export function divideNearest(dividend: bigint, divisor: bigint): bigint {
  return (dividend * 2n + divisor) / (divisor * 2n);
}

/** Largest value of an unsigned 64-bit integer on the wire. */
export const MAX_UINT64 = 2n ** 64n - 1n;

/** What a person wrote, as text: a JavaScript number by its shortest decimal form. */
export function writtenText(value: string | number | bigint): string {
  return String(value).trim();
}
