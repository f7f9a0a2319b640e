import {
  formatCpu,
  formatDuration,
  formatSize,
  formatTokens,
  nameProblem,
  parseCpu,
  parseDuration,
  parseImageReference,
  parseRate,
  parseSize,
  parseTokens,
  QuantityError,
} from "@dcx/protocol";

/**
 * Normal forms of quantities in inputs: one text for each meaning, so that another spelling is no change. Each throws
 * an Error whose message says what it must be, and never quotes what was written (it may be secret).
 */

export function normalCpu(value: string | number): string {
  return positive(
    "cpu",
    formatCpu,
    withoutQuote(() => parseCpu(value)),
  );
}

export function normalSize(value: string | number): string {
  return positive(
    "a size",
    formatSize,
    withoutQuote(() => parseSize(value)),
  );
}

/** Tokens. */
export function normalAmount(value: string | number): string {
  return formatTokens(withoutQuote(() => parseTokens(value)));
}

/**
 * A price keeps its period, for how many blocks that is only the network knows; the number and the unit are brought
 * to one spelling: `0.40` is `0.4/h`.
 */
export function normalPrice(value: string | number): string {
  // Any interval tells whether it can be read.
  withoutQuote(() => parseRate(value, 1000));
  const [, number = "", micro = "", period = "h"] =
    /^([\d.]+(?:[eE][+-]?\d+)?)(u)?(?: ?\/ ?([a-z]+))?$/.exec(String(value).trim()) ?? [];
  const plain = /^\d+(\.\d+)?$/.test(number)
    ? number
        .replace(/^0+(?=\d)/, "")
        .replace(/(\.\d*?)0+$/, "$1")
        .replace(/\.$/, "")
    : number;
  return `${plain}${micro}/${period === "hour" ? "h" : period}`;
}

/** Blocks as a number, or a time, which the network's block interval turns into blocks. */
export function normalWait(value: string | number): string {
  if (/^\d{1,9}$/.test(String(value))) {
    return String(Number(value));
  }
  withoutQuote(() => parseDuration(value));
  return String(value).replace(" ", "");
}

/** Blocks that a normal wait means; a time is rounded up. */
export function waitBlocks(normal: string, blockInterval: number): bigint {
  return /^\d+$/.test(normal) ? BigInt(normal) : BigInt(Math.ceil(parseDuration(normal) / blockInterval));
}

/** A span of time: a number is seconds. */
export function normalDuration(value: string | number): string {
  return formatDuration(withoutQuote(() => parseDuration(value)));
}

/** Throws unless this can name an infrastructure, a workload, a connection or a volume. */
export function entryName(text: string): void {
  const problem = nameProblem(text);
  if (problem !== undefined) {
    throw new Error(problem);
  }
}

/** Throws unless this names an image: `[registry/]name[:tag][@sha256:…]`. */
export function imageName(text: string): string {
  const parsed = parseImageReference(text);
  if ("problem" in parsed) {
    throw new Error("must name an image, such as ghcr.io/acme/web:1.4 or ghcr.io/acme/web@sha256:…");
  }
  return text;
}

function positive(what: string, format: (value: bigint) => string, value: bigint): string {
  if (value === 0n) {
    throw new Error(`must be ${what} above zero`);
  }
  return format(value);
}

function withoutQuote<T>(parse: () => T): T {
  try {
    return parse();
  } catch (error) {
    throw error instanceof QuantityError
      ? new Error(`is no ${error.quantity}: ${error.reason}; ${error.allowed}`)
      : error;
  }
}
