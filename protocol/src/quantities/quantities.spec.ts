import fc from "fast-check";
import {
  costOfBlocks,
  costPerBlock,
  costPerHour,
  costPerMonth,
  formatCpu,
  formatDuration,
  formatRate,
  formatRateInteger,
  formatRatePerBlock,
  formatRatePerHour,
  formatSize,
  formatTokens,
  fulfillmentRate,
  MAX_CPU,
  MAX_DURATION,
  MAX_RATE,
  MAX_UINT64,
  parseCpu,
  parseDuration,
  parseRate,
  parseRateInteger,
  parseSize,
  parseTokens,
  QuantityError,
  RATE_SCALE,
  rentOfBlocks,
} from ".";

const uint64 = fc.bigInt({ min: 0n, max: MAX_UINT64 });
const rate = fc.bigInt({ min: 0n, max: MAX_RATE });
const blockInterval = fc.integer({ min: 1, max: 60_000 });

describe("cpu", () => {
  it.each([
    [0.5, 500n],
    [1, 1000n],
    ["2", 2000n],
    ["500m", 500n],
    ["0.001", 1n],
    [" 1.25 ", 1250n],
  ])("reads %p as %p thousandths", (written, milli) => {
    expect(parseCpu(written)).toBe(milli);
  });

  it.each(["", "m", "-1", "0.0001", "0.5m", "1 core", "1,5", "1e99", Number.NaN, Number.POSITIVE_INFINITY])(
    "refuses %p",
    (written) => {
      expect(() => parseCpu(written)).toThrow(QuantityError);
    },
  );

  it("reads what it prints", () => {
    fc.assert(fc.property(fc.bigInt({ min: 0n, max: MAX_CPU }), (milli) => parseCpu(formatCpu(milli)) === milli));
  });

  it("ends at its largest value", () => {
    expect(parseCpu(`${MAX_CPU}m`)).toBe(MAX_CPU);
    expect(() => parseCpu(`${MAX_CPU + 1n}m`)).toThrow("is more than");
  });
});

describe("size", () => {
  it.each([
    [1048576, 2n ** 20n],
    ["1048576", 2n ** 20n],
    ["512Mi", 2n ** 29n],
    ["1.5Gi", 3n * 2n ** 29n],
    ["1G", 10n ** 9n],
    ["1 Ki", 1024n],
    ["1k", 1000n],
    ["1K", 1000n],
    ["0", 0n],
  ])("reads %p as %p bytes", (written, bytes) => {
    expect(parseSize(written)).toBe(bytes);
  });

  it.each(["", "Mi", "-1", "0.5", "1.0000000001Ki", "1..5Gi", "16Ei", "a lot", Number.NaN])("refuses %p", (written) => {
    expect(() => parseSize(written)).toThrow(QuantityError);
  });

  it.each([
    ["1gb", "did you mean Gi?"],
    ["512mi", "did you mean Mi?"],
    ["512MiB", "did you mean Mi?"],
  ])("tells what %p may have meant", (written, hint) => {
    expect(() => parseSize(written)).toThrow(hint);
  });

  it("reads what it prints", () => {
    const sizes = fc.oneof(
      uint64,
      fc
        .tuple(fc.bigInt({ min: 0n, max: 1023n }), fc.constantFrom(2n ** 20n, 2n ** 30n, 10n ** 9n))
        .map(([n, f]) => n * f),
    );
    fc.assert(fc.property(sizes, (bytes) => parseSize(formatSize(bytes)) === bytes));
  });

  it("prints the shortest text", () => {
    expect(formatSize(2n ** 29n)).toBe("512Mi");
    expect(formatSize(10n ** 9n)).toBe("1G");
    expect(formatSize(1n)).toBe("1");
    expect(formatSize(0n)).toBe("0");
  });
});

describe("tokens", () => {
  it.each([
    ["60", 60_000_000n],
    [0.25, 250_000n],
    ["0.000001", 1n],
    ["20u", 20n],
    [1e-6, 1n],
  ])("reads %p as %p micro-units", (written, micro) => {
    expect(parseTokens(written)).toBe(micro);
  });

  it.each(["", "-60", "0.0000001", "0.5u", "18446744073709.551616", "60 tokens"])("refuses %p", (written) => {
    expect(() => parseTokens(written)).toThrow(QuantityError);
  });

  it("reads what it prints", () => {
    fc.assert(fc.property(uint64, (micro) => parseTokens(formatTokens(micro)) === micro));
  });
});

describe("rate", () => {
  const halfSecond = 500;

  it("takes a bare number for tokens per hour", () => {
    const expected = (400_000n * RATE_SCALE) / 7200n;
    for (const written of ["0.40", 0.4, "0.40/h", "0.4/hour", "0.40 / h", "400000u/h"]) {
      expect(parseRate(written, halfSecond)).toBe(expected);
    }
  });

  it("knows the other periods", () => {
    expect(parseRate("20u/block", halfSecond)).toBe(20n * RATE_SCALE);
    expect(parseRate("0.00002/block", halfSecond)).toBe(20n * RATE_SCALE);
    expect(parseRate("0.5u/block", halfSecond)).toBe(RATE_SCALE / 2n);
    expect(parseRate("172.8/day", halfSecond)).toBe(1000n * RATE_SCALE);
    expect(parseRate("5184/month", halfSecond)).toBe(1000n * RATE_SCALE);
  });

  it("depends on how often blocks come", () => {
    expect(parseRate("0.40", 6000)).toBe((400_000n * RATE_SCALE) / 600n);
    expect(parseRate("20u/block", 6000)).toBe(parseRate("20u/block", 1));
    expect(() => parseRate("1", 0)).toThrow(RangeError);
  });

  it.each(["", "-0.40", "0.40/week", "0.40/", "u/block", "1/2", "0.40 /h per unit", "99999999999999999999u/block"])(
    "refuses %p",
    (written) => {
      expect(() => parseRate(written, halfSecond)).toThrow(QuantityError);
    },
  );

  it("says what was written and what may be", () => {
    expect(() => parseRate("-1", halfSecond)).toThrow(/^"-1" is not a valid price: it is negative; write .*20u\/block/);
  });

  it("never keeps more than was written", () => {
    const decimals = fc.integer({ min: 0, max: 10 ** 9 });
    fc.assert(
      fc.property(decimals, blockInterval, (millionths, interval) => {
        const kept = parseRate(`${formatTokens(BigInt(millionths))}/h`, interval);
        const written = BigInt(millionths) * RATE_SCALE * BigInt(interval);
        const difference = written - kept * 3_600_000n;
        return difference >= 0n && difference < 3_600_000n;
      }),
    );
  });

  it("prints exactly what it reads again", () => {
    fc.assert(
      fc.property(rate, blockInterval, (value, interval) => parseRate(formatRate(value, interval), interval) === value),
    );
  });

  it("prints the price that was written", () => {
    for (const written of ["0.40/h", "1.00/h", "0.123456/h", "12.00/month"]) {
      expect(formatRate(parseRate(written, halfSecond), halfSecond)).toBe(written);
    }
    expect(formatRate(1n, halfSecond)).toBe("0.000000000000000001u/block");
  });

  it("prints for people", () => {
    expect(formatRatePerHour(parseRate("0.4", halfSecond), halfSecond)).toBe("0.40/h");
    expect(formatRatePerHour(parseRate("0.0000001", halfSecond), halfSecond)).toBe("0.0000001/h");
    expect(formatRatePerHour(0n, halfSecond)).toBe("0.00/h");
    expect(formatRatePerBlock(parseRate("20u/block", halfSecond))).toBe("20u/block");
  });

  it("has one form on the wire", () => {
    fc.assert(fc.property(rate, (value) => parseRateInteger(formatRateInteger(value)) === value));
    for (const text of [
      "",
      "-1",
      "+1",
      "01",
      "1.0",
      "1e3",
      " 1",
      "0x1",
      (MAX_RATE + 1n).toString(),
      "9".repeat(1000),
    ]) {
      expect(() => parseRateInteger(text)).toThrow(QuantityError);
    }
  });

  it("adds up over groups", () => {
    expect(
      fulfillmentRate([
        { price: "3", count: 2 },
        { price: "5", count: 1 },
      ]),
    ).toBe(11n);
    expect(fulfillmentRate([])).toBe(0n);
    expect(() => fulfillmentRate([{ price: MAX_RATE.toString(), count: 2 }])).toThrow(QuantityError);
    expect(() => fulfillmentRate([{ price: "-3", count: 2 }])).toThrow(QuantityError);
  });
});

describe("cost", () => {
  it("rounds up what a tenant needs and down what is due", () => {
    const third = RATE_SCALE / 3n;
    expect(costPerBlock(third)).toBe(1n);
    expect(costOfBlocks(third, 3n)).toBe(1n);
    expect(costOfBlocks(third, 4n)).toBe(2n);
    expect(rentOfBlocks(third, 3n)).toBe(0n);
    expect(rentOfBlocks(third, 4n)).toBe(1n);
  });

  it("covers any rent by the deposit for the same blocks", () => {
    fc.assert(
      fc.property(rate, fc.bigInt({ min: 0n, max: 10n ** 9n }), (value, blocks) => {
        const slack = costOfBlocks(value, blocks) - rentOfBlocks(value, blocks);
        return slack === 0n || slack === 1n;
      }),
    );
  });

  it("counts a month as 30 days", () => {
    expect(costPerHour(parseRate("20u/block", 500), 500)).toBe(20n * 2n * 60n * 60n);
    expect(costPerMonth(parseRate("20u/block", 500), 500)).toBe(20n * 2n * 60n * 60n * 24n * 30n);
    expect(costPerMonth(parseRate("60/month", 500), 500)).toBe(60_000_000n);
  });
});

describe("duration", () => {
  it.each([
    [2, 2000],
    ["0.5", 500],
    ["500ms", 500],
    ["10s", 10_000],
    ["5m", 300_000],
    ["1h", 3_600_000],
  ])("reads %p as %p ms", (written, milliseconds) => {
    expect(parseDuration(written)).toBe(milliseconds);
  });

  it.each(["", "-1s", "0.5ms", "1d", "31536000", "soon"])("refuses %p", (written) => {
    expect(() => parseDuration(written)).toThrow(QuantityError);
  });

  it("reads what it prints", () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: MAX_DURATION }), (span) => parseDuration(formatDuration(span)) === span),
    );
  });
});
