import { MAX_UINT64, parseDecimal, scaleDecimal, writtenText } from "./decimal";
import { QuantityError } from "./error";

const BINARY_UNITS = [
  ["Ei", 2n ** 60n],
  ["Pi", 2n ** 50n],
  ["Ti", 2n ** 40n],
  ["Gi", 2n ** 30n],
  ["Mi", 2n ** 20n],
  ["Ki", 2n ** 10n],
] as const;
const DECIMAL_UNITS = [
  ["E", 10n ** 18n],
  ["P", 10n ** 15n],
  ["T", 10n ** 12n],
  ["G", 10n ** 9n],
  ["M", 10n ** 6n],
  ["k", 10n ** 3n],
] as const;
const FACTORS = new Map<string, bigint>([...BINARY_UNITS, ...DECIMAL_UNITS, ["K", 1000n], ["", 1n]]);

const ALLOWED =
  'write bytes such as 1048576, or a number with Ki, Mi, Gi, Ti, Pi, Ei (powers of 1024) or k, M, G, T, P, E (powers of 1000), such as "512Mi"';

/**
 * Reads a size of memory or disk: plain bytes, or a number with a unit (`"512Mi"`, `"1.5Gi"`, `"1G"`).
 * @returns bytes, at most 2^64 - 1
 * @throws {QuantityError} for anything else, and for what is not a whole number of bytes
 */
export function parseSize(value: string | number): bigint {
  const written = writtenText(value);
  const [, number = "", unit = ""] = /^([\d.]+(?:[eE][+-]?\d+)?) ?([A-Za-z]*)$/.exec(written) ?? [];
  const decimal = parseDecimal(number);
  if (decimal === undefined) {
    throw new QuantityError("size", written, written.startsWith("-") ? "it is negative" : "it is not a size", ALLOWED);
  }
  const factor = FACTORS.get(unit);
  if (factor === undefined) {
    throw new QuantityError("size", written, `${JSON.stringify(unit)} is not a unit${suggestion(unit)}`, ALLOWED);
  }
  const { quotient, exact } = scaleDecimal(decimal, factor);
  if (!exact) {
    throw new QuantityError("size", written, "it is not a whole number of bytes", ALLOWED);
  }
  if (quotient > MAX_UINT64) {
    throw new QuantityError("size", written, `it is more than ${MAX_UINT64} bytes`, ALLOWED);
  }
  return quotient;
}

/** Prints bytes in the shortest text that {@link parseSize} reads as the same number, preferring powers of 1024. */
export function formatSize(bytes: bigint): string {
  if (bytes === 0n) {
    return "0";
  }
  const texts = [BINARY_UNITS, DECIMAL_UNITS].flatMap((units) => {
    const found = units.find(([, factor]) => bytes % factor === 0n);
    return found === undefined ? [] : [`${bytes / found[1]}${found[0]}`];
  });
  return [...texts, bytes.toString()].reduce((best, text) => (text.length < best.length ? text : best));
}

function suggestion(unit: string): string {
  const upper = unit.charAt(0).toUpperCase();
  const meant = /^[kmgtpe](b|ib|i)?$/i.test(unit) ? `${upper}i` : undefined;
  return meant === undefined ? "" : ` (did you mean ${meant}?)`;
}
