import fc from "fast-check";
import type { ResourceGroup } from "../generated/dcx/exchange/v1/types";
import { assignSlots, type SlotAssignment, SlotError, slotIssues } from "./slots";
import type { ManifestWorkload } from "./types";

const MI = 2n ** 20n;

interface GroupSketch {
  readonly cpu?: bigint;
  readonly memory?: bigint;
  readonly disk?: bigint;
  readonly gpu?: { readonly count: number; readonly vendor: string; readonly model: string };
  readonly count?: number;
}

function group({
  cpu = 1000n,
  memory = 512n * MI,
  disk = 1024n * MI,
  gpu,
  count = 1,
}: GroupSketch = {}): ResourceGroup {
  return { compute: { cpu, memory, disk, gpu }, price: "1", collateral: 0n, count };
}

function workload(more: Partial<ManifestWorkload> = {}): ManifestWorkload {
  return { infrastructure: "west", container: { image: "nginx:1" }, ...more };
}

function west(...resources: readonly ResourceGroup[]) {
  return { name: "west", resources: [...resources] };
}

/** e.g. `web.0 → 1.0`: the first instance of web in the first unit of group 1. */
function places(assignments: readonly SlotAssignment[]): string[] {
  return assignments.map(
    ({ workload: name, instance, group: index, unit }) => `${name}.${instance} → ${index}.${unit}`,
  );
}

function refusal(run: () => unknown): SlotError {
  try {
    run();
  } catch (error) {
    if (error instanceof SlotError) {
      return error;
    }
    throw error;
  }
  throw new Error("it was not refused");
}

describe("assigning slots", () => {
  it("gives each instance a unit of its own", () => {
    expect(places(assignSlots({ web: workload({ count: 2 }), api: workload() }, west(group({ count: 3 }))))).toEqual([
      "api.0 → 0.0",
      "web.0 → 0.1",
      "web.1 → 0.2",
    ]);
  });

  it("takes the smallest group that fits, then the first", () => {
    const groups = [group({ memory: 2048n * MI }), group({ memory: 256n * MI }), group({ memory: 256n * MI })];
    const small = workload({ compute: { memory: (128n * MI).toString() } });
    const big = workload({ compute: { memory: (512n * MI).toString() } });
    expect(places(assignSlots({ small, big }, west(...groups)))).toEqual(["big.0 → 0.0", "small.0 → 1.0"]);
  });

  it("keeps gpus for those who ask for them", () => {
    const gpu = { count: 1, vendor: "nvidia", model: "h100" };
    const groups = west(group({ gpu, cpu: 100n }), group({ cpu: 8000n }));
    const assignments = assignSlots({ web: workload(), learn: workload({ compute: { gpu: { count: 1 } } }) }, groups);
    expect(places(assignments)).toEqual(["learn.0 → 0.0", "web.0 → 1.0"]);
    expect(assignments.map(({ limits }) => limits.gpu)).toEqual([gpu, undefined]);
  });

  it("takes the group that a workload names", () => {
    const groups = west(group({ cpu: 100n }), group({ cpu: 900n }));
    expect(places(assignSlots({ web: workload({ group: 1 }) }, groups))).toEqual(["web.0 → 1.0"]);
  });

  it("leaves workloads of other infrastructures alone", () => {
    expect(assignSlots({ api: workload({ infrastructure: "east", count: 9 }) }, west(group()))).toEqual([]);
  });

  it("moves one out of the way of another that fits nowhere else", () => {
    const groups = west(
      group({ cpu: 2000n, memory: 2n * MI }),
      group({ cpu: 3000n, memory: MI }),
      group({ cpu: 1000n, memory: 3n * MI }),
    );
    const either = workload({ compute: { cpu: 2000 } });
    const hungry = (count: number) => workload({ compute: { memory: (2n * MI).toString() }, count });
    expect(places(assignSlots({ a: either, b: hungry(1) }, groups))).toEqual(["a.0 → 0.0", "b.0 → 2.0"]);
    expect(places(assignSlots({ a: either, b: hungry(2) }, groups))).toEqual(["a.0 → 1.0", "b.0 → 2.0", "b.1 → 0.0"]);
  });

  it("limits an instance to what it asks for, else to what its slot has left", () => {
    const [asked, whole] = assignSlots(
      {
        asked: workload({
          compute: { cpu: 250, memory: (64n * MI).toString(), disk: (100n * MI).toString() },
          group: 0,
        }),
        whole: workload({ volumes: { data: { path: "/data", size: (24n * MI).toString() } }, group: 0 }),
      },
      west(group({ count: 2 })),
    );
    expect(asked?.limits).toEqual({ cpu: 250, memory: 64n * MI, disk: 100n * MI });
    expect(whole?.limits).toEqual({ cpu: 1000, memory: 512n * MI, disk: 1000n * MI });
  });
});

describe("refusing what does not fit", () => {
  it("names the workload and what is short", () => {
    const compute = { cpu: 2000, memory: (1024n * MI).toString() };
    const error = refusal(() => assignSlots({ web: workload({ compute }) }, west(group(), group({ cpu: 4000n }))));
    expect(error.message).toBe(
      'workload "web" fits no slot of infrastructure "west": in group 0 it needs 2 cpu, and there is 1, needs 1Gi memory, ' +
        "and there is 512Mi; in group 1 it needs 1Gi memory, and there is 512Mi",
    );
    expect(error.issues.map(({ path }) => path)).toEqual(["workloads.web"]);
  });

  it("counts volumes as disk", () => {
    const volumes = { data: { path: "/data", size: (2048n * MI).toString() } };
    const error = refusal(() => assignSlots({ web: workload({ volumes }) }, west(group())));
    expect(error.message).toContain("needs 2Gi disk (2Gi of it volumes), and there is 1Gi");
  });

  it.each<[string, ManifestWorkload, string]>([
    [
      "another model",
      workload({ compute: { gpu: { count: 1, model: "a100" } } }),
      "1 a100 gpu, and there is 1 nvidia/h100 gpu",
    ],
    ["more gpus", workload({ compute: { gpu: { count: 2 } } }), "2 gpus, and there is 1 nvidia/h100 gpu"],
    ["a group that is not there", workload({ group: 3 }), "names group 3"],
  ])("says so of %s", (_, wanted, message) => {
    const groups = west(group({ gpu: { count: 1, vendor: "nvidia", model: "h100" } }));
    expect(refusal(() => assignSlots({ web: wanted }, groups)).message).toContain(message);
  });

  it("names who takes the slots", () => {
    const error = refusal(() =>
      assignSlots({ api: workload(), web: workload({ count: 3 }) }, west(group({ count: 2 }))),
    );
    expect(error.message).toBe(
      'workload "web" needs 3 slots, one for each instance, in infrastructure "west" and only 1 is left: group 0 (1 cpu, ' +
        "512Mi memory, 1Gi disk) has 2, taken by api, web; raise a group's count",
    );
  });

  it("names all of them, with their paths", () => {
    const big = workload({ compute: { cpu: 9000 } });
    expect(slotIssues({ b: big, a: big, c: workload() }, [west(group())]).map(({ path }) => path)).toEqual([
      "workloads.a",
      "workloads.b",
    ]);
    expect(slotIssues({ c: workload() }, [west(group())])).toEqual([]);
  });
});

describe("any workloads on any groups", () => {
  const sizes = fc.integer({ min: 1, max: 4 });
  const anyGroups = fc.array(fc.record({ cpu: sizes, memory: sizes, count: fc.integer({ min: 0, max: 3 }) }), {
    maxLength: 4,
  });
  const anyWorkloads = fc.dictionary(
    fc.stringMatching(/^[a-z]{1,2}$/),
    fc.record(
      { cpu: sizes, memory: sizes, count: fc.integer({ min: 1, max: 3 }), group: fc.integer({ min: 0, max: 3 }) },
      { requiredKeys: ["count"], noNullPrototype: true },
    ),
    { maxKeys: 5, noNullPrototype: true },
  );
  const world = fc.tuple(anyGroups, anyWorkloads).map(([groups, workloads]) => ({
    leased: west(...groups.map(({ cpu, memory, count }) => group({ cpu: BigInt(cpu), memory: BigInt(memory), count }))),
    workloads: Object.fromEntries(
      Object.entries(workloads).map(([name, { cpu, memory, count, group: index }]) => [
        name,
        workload({
          count,
          compute: { ...(cpu !== undefined && { cpu }), ...(memory !== undefined && { memory: memory.toString() }) },
          ...(index !== undefined && { group: index }),
        }),
      ]),
    ),
  }));

  const outcome = (workloads: Readonly<Record<string, ManifestWorkload>>, leased: ReturnType<typeof west>) => {
    try {
      return assignSlots(workloads, leased);
    } catch (error) {
      if (error instanceof SlotError) {
        return error;
      }
      throw error;
    }
  };

  it("never share a unit, never exceed one, and leave no instance out", () => {
    fc.assert(
      fc.property(world, ({ workloads, leased }) => {
        const result = outcome(workloads, leased);
        fc.pre(!(result instanceof SlotError));
        const units = result.map(({ group: index, unit }) => `${index}.${unit}`);
        expect(new Set(units).size).toBe(units.length);
        for (const { workload: name, group: index, unit, limits } of result) {
          const { compute, count } = leased.resources[index] ?? group({ count: 0 });
          expect(unit).toBeLessThan(count);
          expect(BigInt(limits.cpu)).toBeLessThanOrEqual(compute?.cpu ?? 0n);
          expect(limits.memory).toBeLessThanOrEqual(compute?.memory ?? 0n);
          expect(limits.disk).toBeLessThanOrEqual(compute?.disk ?? 0n);
          expect([undefined, index]).toContain(workloads[name]?.group);
        }
        for (const [name, { count }] of Object.entries(workloads)) {
          const instances = result.filter((one) => one.workload === name).map(({ instance }) => instance);
          expect(instances).toEqual(Array.from({ length: count ?? 1 }, (_, index) => index));
        }
      }),
    );
  });

  it("are placed the same whatever the order of keys", () => {
    fc.assert(
      fc.property(world, ({ workloads, leased }) => {
        const turned = Object.fromEntries(Object.entries(workloads).reverse());
        expect(outcome(turned, leased)).toEqual(outcome(workloads, leased));
      }),
    );
  });

  it("are placed exactly when there is a way to place them", () => {
    // Groups none of which is larger than another in everything: there greedy choices go wrong.
    const groups = fc.array(fc.constantFrom([1, 3], [2, 2], [3, 1]), { minLength: 3, maxLength: 5 });
    const demand = fc.constantFrom([1, 2] as const, [2, 1] as const, [1, 1] as const, [1, 3] as const, [3, 1] as const);
    const demands = fc.array(demand, { minLength: 3, maxLength: 5 });
    fc.assert(
      fc.property(groups, demands, (offers, wants) => {
        const leased = west(
          ...offers.map(([cpu = 0, memory = 0]) => group({ cpu: BigInt(cpu), memory: BigInt(memory) })),
        );
        const workloads = Object.fromEntries(
          wants.map(([cpu, memory], index) => [`w${index}`, workload({ compute: { cpu, memory: memory.toString() } })]),
        );
        expect(!(outcome(workloads, leased) instanceof SlotError)).toBe(canBePlaced(workloads, leased));
      }),
      { numRuns: 2000 },
    );
    fc.assert(
      fc.property(world, ({ workloads, leased }) => {
        expect(!(outcome(workloads, leased) instanceof SlotError)).toBe(canBePlaced(workloads, leased));
      }),
    );
  });
});

/** By trying everything. */
function canBePlaced(workloads: Readonly<Record<string, ManifestWorkload>>, leased: ReturnType<typeof west>): boolean {
  const instances = Object.values(workloads).flatMap((one) => Array.from({ length: one.count ?? 1 }, () => one));
  const seen = new Map<string, boolean>();
  const search = (index: number, left: readonly number[]): boolean => {
    const key = `${index}:${left}`;
    const known = seen.get(key);
    if (known !== undefined) {
      return known;
    }
    const instance = instances[index];
    const found =
      instance === undefined ||
      leased.resources.some(({ compute }, at) => {
        const fits =
          (left[at] ?? 0) > 0 &&
          [undefined, at].includes(instance.group) &&
          BigInt(instance.compute?.cpu ?? 0) <= (compute?.cpu ?? 0n) &&
          BigInt(instance.compute?.memory ?? 0) <= (compute?.memory ?? 0n);
        return (
          fits &&
          search(
            index + 1,
            left.map((count, other) => (other === at ? count - 1 : count)),
          )
        );
      });
    seen.set(key, found);
    return found;
  };
  return search(
    0,
    leased.resources.map(({ count }) => count),
  );
}
