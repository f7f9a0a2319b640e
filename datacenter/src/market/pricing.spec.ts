import { Order } from "@dcx/protocol";
import fc from "fast-check";
import { parseConfiguration } from "../configuration";
import { pricingOf } from "./configured-pricing";
import { type PricingSituation, utilization } from "./pricing";

const gib = 1n << 30n;
const total = { cpu: 8_000n, memory: 16n * gib, disk: 100n * gib, gpu: 0n };
const order = Order.fromPartial({
  id: { tenant: "dcx1t", sequence: 4n, infrastructure: "west", generation: 1 },
  terms: {
    region: "us-west",
    attributes: [{ key: "tier", value: "gold" }],
    resources: [
      { compute: { cpu: 1_000n, memory: gib, disk: 0n }, count: 2, price: (10n ** 18n).toString(), collateral: 5n },
      { compute: { cpu: 500n, memory: gib, disk: 0n }, count: 1, price: "0" },
    ],
  },
});
const situation = (sold: bigint): PricingSituation => ({ order, total, free: { ...total, cpu: total.cpu - sold } });
const warnings: object[] = [];
const logger = { warn: (details: object) => void warnings.push(details) };

function strategy(pricing: object) {
  const base = { chain: { endpoints: ["http://127.0.0.1:1"] }, keyFile: "k", home: "h", region: "r" };
  const capacity = { cpu: 8, memory: "16Gi", disk: "100Gi" };
  return pricingOf(parseConfiguration({ ...base, capacity, pricing }), logger)(1_000n);
}

/** In micro-units per block. */
async function prices(pricing: object, sold = 0n): Promise<readonly number[] | string> {
  const answer = await strategy(pricing).prices(situation(sold));
  return "refused" in answer ? answer.refused : answer.prices.map((price) => Number(price) / 1e18);
}

const list = { cpu: "100u/block", memory: "10u/block" };

test("a price list asks for what a unit has, and no less than the floor", async () => {
  expect(await prices({ strategy: "fixed", ...list })).toEqual([110, 60]);
  expect(await prices({ strategy: "fixed", ...list, floor: "80u/block" })).toEqual([110, 80]);
});

describe("by utilization", () => {
  const byUse = { strategy: "utilization", ...list, empty: 0.5, full: 2 };

  test("the list is multiplied by a factor between empty and full", async () => {
    expect(await prices(byUse, 0n)).toEqual([55, 30]);
    expect(await prices(byUse, 4_000n)).toEqual([137.5, 75]);
    expect(await prices(byUse, 8_000n)).toEqual([220, 120]);
    expect(await prices({ ...byUse, floor: "40u/block" }, 0n)).toEqual([55, 40]);
  });

  test("it is what there is least left of that counts", () => {
    const free = { cpu: 4_000n, memory: 4n * gib, disk: 100n * gib, gpu: 0n };
    expect(utilization(total, free)).toBe(750_000n);
    expect(utilization(total, { ...free, memory: -gib })).toBe(1_000_000n);
    expect(utilization({ cpu: 0n, memory: 0n, disk: 0n, gpu: 0n }, free)).toBe(0n);
  });

  test("more that is sold never makes a unit cheaper where full is at least empty", async () => {
    const sold = fc.bigInt({ min: 0n, max: 8_000n });
    await fc.assert(
      fc.asyncProperty(sold, sold, async (a, b) => {
        const [less, more] = a < b ? [a, b] : [b, a];
        const [cheap, dear] = [await prices(byUse, less), await prices(byUse, more)];
        expect(Number(cheap[0])).toBeLessThanOrEqual(Number(dear[0]));
      }),
      { numRuns: 50 },
    );
  });
});

describe("by a script", () => {
  const script = (code: string, more: object = {}) => ({
    strategy: "script",
    command: [process.execPath, "-e", code],
    ...more,
  });
  const read = 'let t = ""; process.stdin.on("data", (d) => { t += d }).on("end", () => { const o = JSON.parse(t);';

  test("it sees the order and the capacity, and its prices count, but for the floor", async () => {
    const code = `${read} console.log(JSON.stringify({ prices: o.groups.map((g) => g.cpu * 100 * o.capacity.free.cpu + "u/block") })) })`;
    expect(await prices(script(code), 4_000n)).toEqual([400, 200]);
    expect(await prices(script(code, { floor: "300u/block" }), 4_000n)).toEqual([400, 300]);
    const echo = `${read} console.log(JSON.stringify({ refuse: JSON.stringify(o) })) })`;
    expect(JSON.parse(String(await prices(script(echo), 2_000n)))).toEqual({
      order: "dcx1t/4/west/1",
      tenant: "dcx1t",
      region: "us-west",
      attributes: { tier: "gold" },
      groups: [
        { cpu: 1, memory: "1073741824", disk: "0", count: 2, collateral: "5", maxPrice: "1u/block" },
        { cpu: 0.5, memory: "1073741824", disk: "0", count: 1, collateral: "0", maxPrice: "0u/block" },
      ],
      capacity: {
        total: { cpu: 8, memory: "17179869184", disk: "107374182400", gpu: 0 },
        free: { cpu: 6, memory: "17179869184", disk: "107374182400", gpu: 0 },
      },
      blockInterval: 1000,
    });
  });

  test("it may refuse an order, in its own words", async () => {
    expect(await prices(script(`console.log(JSON.stringify({ refuse: "not on sundays" }))`))).toBe("not on sundays");
  });

  test.each([
    ["exits with a failure", "process.exit(3)", {}, "exited with 3"],
    ["takes too long", "setInterval(() => 0, 1000)", { timeout: "200ms" }, "ended (SIGKILL)"],
    ["prints no JSON", "console.log(1 +", {}, ""],
    ["prints too few prices", `console.log('{"prices":["1u/block"]}')`, {}, "1 prices for 2 groups"],
    ["prints what is no price", `console.log('{"prices":["cheap","1u/block"]}')`, {}, "cheap"],
    ["prints without end", "for (;;) console.log('x'.repeat(10000))", {}, ""],
  ])("what %s is no price, and why is for the operator alone", async (_what, code, more, why) => {
    warnings.length = 0;
    expect(await prices(script(code, more))).toBe("could not find a price");
    expect(warnings.some((warning) => "err" in warning && String(warning.err).includes(why))).toBe(true);
  });

  test("what is no program is no price", async () => {
    expect(await prices({ strategy: "script", command: ["/no/such/program"] })).toBe("could not find a price");
  });

  test("orders wait for one another, and what is too much is refused at once", async () => {
    const quick = strategy({ strategy: "script", command: ["/bin/true"] });
    const answers = await Promise.all(Array.from({ length: 66 }, () => quick.prices(situation(0n))));
    const refusals = answers.map((answer) => ("refused" in answer ? answer.refused : ""));
    expect(refusals.slice(0, 64)).toEqual(Array(64).fill("could not find a price"));
    expect(refusals.slice(64)).toEqual(Array(2).fill("has too many prices to find at the moment"));
  });
});
