import { Datacenter, Order } from "@dcx/protocol";
import fc from "fast-check";
import { type Capacity, type Commitment, freeCapacity, shortOf, totalOf } from "./capacity";
import { type BidSituation, decideBid } from "./decide-bid";
import { fixedPricing } from "./pricing";

const one = 10n ** 18n;
const gib = 1n << 30n;
const capacity: Capacity = { cpu: 4000n, memory: 8n * gib, disk: 100n * gib, gpu: 0n };
const pricing = fixedPricing({ cpu: 10n * one, memory: 2n * one, disk: one, gpu: 100n * one, floor: one });

function order(changes: { infrastructure?: object; group?: object; tenant?: string } = {}): Order {
  return Order.fromPartial({
    id: { tenant: changes.tenant ?? "dcx1tenant", sequence: 1n, infrastructure: "west", generation: 1 },
    terms: {
      name: "west",
      region: "us-west",
      resources: [
        {
          compute: { cpu: 1000n, memory: gib, disk: gib },
          price: (20n * one).toString(),
          collateral: 50n,
          count: 2,
          ...changes.group,
        },
      ],
      ...changes.infrastructure,
    },
  });
}

function situation(changes: Partial<BidSituation> = {}): BidSituation {
  return {
    record: Datacenter.fromPartial({
      address: "dcx1dc",
      region: "us-west",
      attributes: [{ key: "isolation", value: "container" }],
    }),
    isolation: "container",
    trustedTenants: [],
    unenforced: [],
    total: capacity,
    free: capacity,
    freeCollateral: 1000n,
    pricing,
    height: 100n,
    draining: false,
    ...changes,
  };
}

describe("decideBid", () => {
  it("asks the list price of each group, and counts the rate over all units", async () => {
    expect(await decideBid(order(), situation())).toMatchObject({ willBid: true, rate: 26n * one, collateral: 50n });
  });

  it.each([
    ["region", order({ infrastructure: { region: "eu" } }), {}],
    ["attributes", order({ infrastructure: { attributes: [{ key: "tier", value: "gold" }] } }), {}],
    ["attributes", order({ group: { compute: { cpu: 1n, gpu: { count: 1, vendor: "nvidia", model: "h100" } } } }), {}],
    ["denied", order({ infrastructure: { deniedDatacenters: ["dcx1dc"] } }), {}],
    ["not-allowed", order({ infrastructure: { allowedDatacenters: ["dcx1other"] } }), {}],
    ["excluded", order(), { excludedUntil: 100n }],
    ["isolation", order(), { isolation: "none" as const, trustedTenants: ["dcx1me"] }],
    ["isolation", order(), { unenforced: ["memory"] }],
    ["capacity", order({ group: { count: 5 } }), {}],
    ["price", order({ group: { price: (12n * one).toString() } }), {}],
    ["collateral", order(), { freeCollateral: 49n }],
    ["draining", order(), { draining: true }],
  ])("refuses for %s", async (reason, wanted, changes) => {
    expect(await decideBid(wanted, situation(changes))).toMatchObject({ willBid: false, reason });
  });

  it("says what it would ask when the order pays too little", async () => {
    expect(await decideBid(order({ group: { price: "1" } }), situation())).toMatchObject({
      reason: "price",
      rate: 26n * one,
    });
  });

  it("serves its own user also without isolation", async () => {
    const own = situation({ isolation: "none", trustedTenants: ["dcx1tenant"], unenforced: ["cpu"] });
    expect((await decideBid(order(), own)).willBid).toBe(true);
  });

  it("bids again once the exclusion is over", async () => {
    expect((await decideBid(order(), situation({ excludedUntil: 99n }))).willBid).toBe(true);
  });
});

describe("freeCapacity", () => {
  const groups = fc.array(
    fc.record({
      compute: fc.record({
        cpu: fc.bigInt(0n, 3000n),
        memory: fc.bigInt(0n, 4n * gib),
        disk: fc.bigInt(0n, gib),
        gpu: fc.constant(undefined),
      }),
      price: fc.constant((1000n * one).toString()),
      collateral: fc.constant(1n),
      count: fc.integer({ min: 1, max: 3 }),
    }),
    { minLength: 1, maxLength: 3 },
  );

  it("never sells the same core twice, whatever orders come", async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(groups, { maxLength: 12 }), async (orders) => {
        const commitments: Commitment[] = [];
        for (const [index, resources] of orders.entries()) {
          const wanted = order({ infrastructure: { resources } });
          const free = freeCapacity(capacity, commitments);
          const decision = await decideBid(wanted, situation({ free }));
          if (decision.willBid) commitments.push({ order: `${index}`, resources: decision.resources, collateral: 1n });
        }
        const sold = commitments.flatMap(({ resources }) => resources);
        expect(shortOf(totalOf(sold), capacity)).toEqual([]);
      }),
    );
  });

  it("counts a bid, its fulfillment and its lease once", () => {
    const resources = order().terms?.resources ?? [];
    const twice = [
      { order: "a", resources, collateral: 1n },
      { order: "a", resources, collateral: 1n },
    ];
    expect(freeCapacity(capacity, twice).cpu).toBe(2000n);
  });
});
