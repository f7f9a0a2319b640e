import { divideNearest, divideUp, formatDecimal, MAX_UINT64, parseDecimal, scaleDecimal, writtenText } from "./decimal";
import { QuantityError } from "./error";
import { MICRO } from "./tokens";

/**
 * A price over time: micro-units per block, scaled by {@link RATE_SCALE}. On the wire it is this integer in decimal.
 * A group's price is the rate of one compute unit; a fulfillment's and a lease's rate is that of all of them.
 */
export type Rate = bigint;

/** Fixed-point scale of a rate: 18 places. */
export const RATE_SCALE = 10n ** 18n;

/** Highest rate: 2^64 - 1 micro-units per block. */
export const MAX_RATE: Rate = MAX_UINT64 * RATE_SCALE;

const HOUR = 3_600_000n;
const DAY = 24n * HOUR;
/** A month is 30 days wherever a price or a cost is per month. */
const MONTH = 30n * DAY;

const PERIODS = new Map<string, bigint>([
  ["h", HOUR],
  ["hour", HOUR],
  ["day", DAY],
  ["month", MONTH],
]);

const ALLOWED =
  'write tokens per hour such as "0.40" or "0.40/h", per "/day", "/month" (30 days) or "/block", or micro-units such as "20u/block"';

/** Decimals of tokens up to which {@link formatRate} looks for a short text. */
const SHORT_DECIMALS = 12;

/**
 * Reads a price: tokens per hour (`"0.40"`, `0.4`, `"0.40/h"`), per day or month of 30 days (`"12/month"`), per block
 * (`"0.00002/block"`), or the same in micro-units (`"20u/block"`). Rounded down to the 18 places that are kept, so that
 * a maximum price never exceeds what was written.
 * @param blockInterval milliseconds from one block to the next
 * @throws {QuantityError} for anything else, and above {@link MAX_RATE}
 */
export function parseRate(value: string | number, blockInterval: bigint | number): Rate {
  const written = writtenText(value);
  const [, number = "", micro, period = "h"] = /^([\d.]+(?:[eE][+-]?\d+)?)(u)?(?: ?\/ ?([a-z]+))?$/.exec(written) ?? [];
  const decimal = parseDecimal(number);
  if (decimal === undefined) {
    const reason = written.startsWith("-") ? "it is negative" : "it is not a price over time";
    throw new QuantityError("price", written, reason, ALLOWED);
  }
  const numerator = RATE_SCALE * (micro === undefined ? MICRO : 1n);
  const milliseconds = PERIODS.get(period);
  if (milliseconds === undefined && period !== "block") {
    throw new QuantityError("price", written, `${JSON.stringify(period)} is not a period`, ALLOWED);
  }
  const rate =
    milliseconds === undefined
      ? scaleDecimal(decimal, numerator).quotient
      : scaleDecimal(decimal, numerator * interval(blockInterval), milliseconds).quotient;
  if (rate > MAX_RATE) {
    throw new QuantityError("price", written, `it is more than ${MAX_UINT64} micro-units per block`, ALLOWED);
  }
  return rate;
}

/**
 * Prints a rate for a person, in tokens per hour with at least two decimals: `0.40/h`. Rounded to the nearest
 * micro-token, or to three significant digits below a thousandth of a token; for an exact text see {@link formatRate}.
 */
export function formatRatePerHour(rate: Rate, blockInterval: bigint | number): string {
  const perHour = rate * HOUR;
  const scale = RATE_SCALE * MICRO * interval(blockInterval);
  let places = 6;
  while (rate > 0n && places < 30 && divideNearest(perHour * 10n ** BigInt(places), scale) < 100n) {
    places += 1;
  }
  return `${formatDecimal(divideNearest(perHour * 10n ** BigInt(places), scale), places, 2)}/h`;
}

/**
 * Prints a rate as a text that {@link parseRate} reads as exactly the same rate: per hour or per month where a short
 * decimal does that (`0.40/h`), else per block (`55.123456789012345678u/block`).
 */
export function formatRate(rate: Rate, blockInterval: bigint | number): string {
  const short = [
    ["h", HOUR],
    ["month", MONTH],
  ] as const;
  const texts = short.flatMap(([period, milliseconds]) => {
    const tokens = rate * milliseconds * 10n ** BigInt(SHORT_DECIMALS);
    const scale = RATE_SCALE * MICRO * interval(blockInterval);
    const rounded = { digits: divideNearest(tokens, scale), scale: SHORT_DECIMALS };
    const exact = scaleDecimal(rounded, scale, milliseconds).quotient === rate;
    return exact ? [`${formatDecimal(rounded.digits, SHORT_DECIMALS, 2)}/${period}`] : [];
  });
  return texts[0] ?? formatRatePerBlock(rate);
}

/** Prints a rate exactly, in micro-units per block: `20u/block`. */
export function formatRatePerBlock(rate: Rate): string {
  return `${formatDecimal(rate, 18)}u/block`;
}

/**
 * Reads a rate from the wire: an integer in decimal, without sign or leading zeros.
 * @throws {QuantityError} for anything else, and above {@link MAX_RATE}
 */
export function parseRateInteger(text: string): Rate {
  const allowed = `on the wire a rate is an integer of micro-units per block × 10^18, at most ${MAX_RATE}`;
  if (!/^(0|[1-9]\d{0,38})$/.test(text)) {
    throw new QuantityError("rate", text.slice(0, 60), "it is not an integer in plain decimal", allowed);
  }
  const rate = BigInt(text);
  if (rate > MAX_RATE) {
    throw new QuantityError("rate", text, "it is too large", allowed);
  }
  return rate;
}

/** The wire form of a rate. */
export function formatRateInteger(rate: Rate): string {
  return rate.toString();
}

/**
 * What a list of resource groups costs per block: Σ price × count (specification: the price of a group is that of one
 * compute unit).
 * @throws {QuantityError} where a price is not on the wire's form, or the sum is above {@link MAX_RATE}
 */
export function fulfillmentRate(groups: readonly { readonly price: string; readonly count: number }[]): Rate {
  const total = groups.reduce((sum, { price, count }) => sum + parseRateInteger(price) * BigInt(count), 0n);
  return total > MAX_RATE ? parseRateInteger(total.toString()) : total;
}

/** What a rate costs over a number of blocks, in micro-units, rounded up: what a tenant needs to have. */
export function costOfBlocks(rate: Rate, blocks: bigint): bigint {
  return divideUp(rate * blocks, RATE_SCALE);
}

/** What a rate costs in one block, in micro-units, rounded up; {@link formatRatePerBlock} prints it exactly. */
export function costPerBlock(rate: Rate): bigint {
  return costOfBlocks(rate, 1n);
}

/** What a rate costs in an hour, in micro-units, rounded up. */
export function costPerHour(rate: Rate, blockInterval: bigint | number): bigint {
  return divideUp(rate * HOUR, RATE_SCALE * interval(blockInterval));
}

/** What a rate costs in 30 days, in micro-units, rounded up. */
export function costPerMonth(rate: Rate, blockInterval: bigint | number): bigint {
  return divideUp(rate * MONTH, RATE_SCALE * interval(blockInterval));
}

/**
 * Rent that has accrued, in micro-units, rounded down: ⌊rate × blocks⌋ (design: SubmitLeaseConfirmation). Counted from
 * the start of a lease it does not depend on how often it is paid.
 */
export function rentOfBlocks(rate: Rate, blocks: bigint): bigint {
  return (rate * blocks) / RATE_SCALE;
}

function interval(blockInterval: bigint | number): bigint {
  const milliseconds = BigInt(blockInterval);
  if (milliseconds <= 0n) {
    throw new RangeError(`a block interval of ${milliseconds} ms has no rates: it must be positive`);
  }
  return milliseconds;
}
