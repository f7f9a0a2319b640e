import { parseDecimal, scaleDecimal, writtenText } from "./decimal";
import { QuantityError } from "./error";

/** Longest duration: 30 days. */
export const MAX_DURATION = 30 * 24 * 3_600_000;

const FACTORS = new Map<string, bigint>([
  ["ms", 1n],
  ["s", 1000n],
  ["m", 60_000n],
  ["h", 3_600_000n],
  ["", 1000n],
]);
const ALLOWED = 'write seconds such as 2, or a number with ms, s, m or h, such as "500ms"';

/**
 * Reads a span of time: seconds (`2`, `0.5`) or a number with a unit (`"500ms"`, `"10s"`, `"5m"`, `"1h"`).
 * @returns milliseconds, at most {@link MAX_DURATION}
 * @throws {QuantityError} for anything else, and for what is not a whole number of milliseconds
 */
export function parseDuration(value: string | number): number {
  const written = writtenText(value);
  const [, number = "", unit = ""] = /^([\d.]+(?:[eE][+-]?\d+)?) ?([a-z]*)$/.exec(written) ?? [];
  const decimal = parseDecimal(number);
  const factor = FACTORS.get(unit);
  if (decimal === undefined || factor === undefined) {
    const reason = written.startsWith("-") ? "it is negative" : "it is not a duration";
    throw new QuantityError("duration", written, reason, ALLOWED);
  }
  const { quotient, exact } = scaleDecimal(decimal, factor);
  if (!exact) {
    throw new QuantityError("duration", written, "it is finer than a millisecond", ALLOWED);
  }
  if (quotient > BigInt(MAX_DURATION)) {
    throw new QuantityError("duration", written, "it is more than 30 days", ALLOWED);
  }
  return Number(quotient);
}

/** Prints milliseconds so that {@link parseDuration} reads the same, in the largest unit that is exact. */
export function formatDuration(milliseconds: number): string {
  const unit = (["h", "m", "s"] as const).find((name) => milliseconds % Number(FACTORS.get(name)) === 0) ?? "ms";
  return milliseconds === 0 ? "0s" : `${milliseconds / Number(FACTORS.get(unit))}${unit}`;
}
