import fc from "fast-check";
import { type Capacity, noCapacity } from "../market/capacity";
import type { InstanceSpecification } from "../runtime/runtime";
import { type Observation, type Present, plan, type Step, type Target } from "./plan";

const roomy: Capacity = { cpu: 1_000_000n, memory: 1n << 50n, disk: 1n << 50n, gpu: 0n };

interface Wanted {
  readonly workload: string;
  readonly version: number;
  readonly count: number;
  readonly volume: boolean;
}

/** A machine that takes steps at once; what it starts serves after `tick`. */
class Machine {
  readonly instances = new Map<string, Present>();
  readonly volumes = new Map<string, string>();
  readonly images = new Set<string>();

  observe(): Observation {
    return {
      instances: [...this.instances.values()],
      volumes: [...this.volumes].map(([volume, lease]) => ({ volume, lease })),
      images: this.images,
    };
  }

  take(step: Step): void {
    if (step.kind === "start") {
      const { id, labels, volumes, image } = step.specification;
      expect(this.instances.has(id)).toBe(false);
      this.images.add(image);
      for (const { volume } of volumes) {
        expect([...this.instances.values()].some((other) => other.volumes.includes(volume))).toBe(false);
        this.volumes.set(volume, labels.lease);
      }
      this.instances.set(id, { id, labels, serving: "no", volumes: volumes.map(({ volume }) => volume) });
    } else if (step.kind === "remove") this.instances.delete(step.id);
    else if (step.kind === "pull") this.images.add(step.specification.image);
    else this.volumes.delete(step.volume);
  }

  /** All that was started comes up. */
  tick(): void {
    for (const [id, instance] of this.instances) this.instances.set(id, { ...instance, serving: "yes" });
  }

  serving(workload: string): number {
    return [...this.instances.values()].filter((each) => each.labels.workload === workload && each.serving === "yes")
      .length;
  }
}

function specification(wanted: Wanted, index: number, lease: string): InstanceSpecification {
  const digest = `${wanted.version}`.padStart(12, "0");
  return {
    id: `${lease}.${wanted.workload}.${index}.${digest}`,
    labels: { deployment: "t/1", infrastructure: "i", lease, workload: wanted.workload, index },
    digest,
    image: `image:${wanted.version}`,
    environment: {},
    limits: { cpu: 100, memory: 1n, disk: 1n, processes: 10 },
    volumes: wanted.volume ? [{ volume: `${lease}.${wanted.workload}.${index}.data`, path: "/data", size: 1n }] : [],
    hosts: {},
  };
}

function targetOf(wanted: readonly Wanted[], spare: Capacity = roomy, lease = "t/1/i/1"): Target {
  return {
    leases: new Set([lease]),
    workloads: wanted.map((each) => ({
      lease,
      workload: each.workload,
      instances: Array.from({ length: each.count }, (_, index) => specification(each, index, lease)),
    })),
    keepUnnamed: new Set(),
    spare,
  };
}

/** Plans and takes steps until nothing is left to do. */
function settle(machine: Machine, target: Target, watch: (step: Step) => void = () => {}): void {
  for (let round = 0; round < 200; round++) {
    const steps = plan(target, machine.observe());
    for (const step of steps) {
      watch(step);
      machine.take(step);
    }
    if (steps.length === 0 && [...machine.instances.values()].every(({ serving }) => serving === "yes")) return;
    machine.tick();
  }
  throw new Error("the plan does not come to an end");
}

const workloads = fc.uniqueArray(
  fc.record({
    workload: fc.constantFrom("web", "api", "db"),
    version: fc.integer({ min: 1, max: 3 }),
    count: fc.integer({ min: 1, max: 4 }),
    volume: fc.constant(false),
  }),
  { selector: ({ workload }) => workload },
);
const withVolumes = workloads.map((list) => list.map((each) => ({ ...each, volume: each.workload === "db" })));
const spares = fc.constantFrom(roomy, noCapacity);

describe("plan", () => {
  it("leads from any target to any other, and then has nothing to do", () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(withVolumes, spares), { minLength: 1, maxLength: 4 }), (history) => {
        const machine = new Machine();
        for (const [wanted, spare] of history) {
          const target = targetOf(wanted, spare);
          settle(machine, target);
          const expected = target.workloads.flatMap(({ instances }) => instances.map(({ id }) => id));
          expect([...machine.instances.keys()].sort()).toEqual(expected.sort());
        }
      }),
    );
  });

  it("never touches an instance that stays the same", () => {
    fc.assert(
      fc.property(withVolumes, withVolumes, spares, (before, after, spare) => {
        const machine = new Machine();
        settle(machine, targetOf(before));
        const kept = new Set(targetOf(after).workloads.flatMap(({ instances }) => instances.map(({ id }) => id)));
        settle(machine, targetOf(after, spare), (step) => {
          if (step.kind === "remove") expect(kept.has(step.id)).toBe(false);
        });
      }),
    );
  });

  it("keeps all but one of a workload's instances serving while it rolls, all with room beside them", () => {
    fc.assert(
      fc.property(withVolumes, spares, fc.integer({ min: 4, max: 9 }), (before, spare, version) => {
        const machine = new Machine();
        settle(machine, targetOf(before));
        const after = before.map((each) => ({ ...each, version }));
        settle(machine, targetOf(after, spare), (step) => {
          if (step.kind !== "remove") return;
          const rolled = after.find(({ workload }) => workload === step.labels.workload);
          const left = machine.serving(step.labels.workload) - 1;
          const surge = spare === roomy && rolled?.volume === false;
          expect(left).toBeGreaterThanOrEqual((rolled?.count ?? 0) - (surge ? 0 : 1));
        });
      }),
    );
  });

  it("stops nothing for an image that is not on the machine", () => {
    const machine = new Machine();
    settle(machine, targetOf([{ workload: "web", version: 1, count: 1, volume: false }]));
    const next = targetOf([{ workload: "web", version: 2, count: 1, volume: false }], noCapacity);
    expect(plan(next, machine.observe()).map(({ kind }) => kind)).toEqual(["pull"]);
  });

  it("leaves the old version alone while the new one does not come up", () => {
    const machine = new Machine();
    settle(machine, targetOf([{ workload: "web", version: 1, count: 2, volume: false }]));
    const next = targetOf([{ workload: "web", version: 2, count: 2, volume: false }]);
    for (const step of plan(next, machine.observe())) machine.take(step);
    expect(plan(next, machine.observe())).toEqual([]);
    expect(machine.serving("web")).toBe(2);
  });

  it("waits for the new version to accept before the old one goes, where the old one does", () => {
    for (const [before, steps] of [
      ["yes", 0],
      ["unknown", 0],
      ["no", 1],
    ] as const) {
      const machine = new Machine();
      settle(machine, targetOf([{ workload: "web", version: 1, count: 1, volume: false }]));
      for (const [id, instance] of machine.instances) machine.instances.set(id, { ...instance, accepts: before });
      const next = targetOf([{ workload: "web", version: 2, count: 1, volume: false }]);
      for (const step of plan(next, machine.observe())) machine.take(step);
      for (const [id, instance] of machine.instances) {
        const accepts = instance.accepts ?? "no";
        machine.instances.set(id, { ...instance, serving: "yes", accepts });
      }
      expect(plan(next, machine.observe())).toHaveLength(steps);
      for (const [id, instance] of machine.instances) machine.instances.set(id, { ...instance, accepts: "yes" });
      expect(plan(next, machine.observe())).toMatchObject([{ kind: "remove", why: "its successor serves" }]);
    }
  });

  it("keeps what carries streams until its successor serves, though it does not count as serving yet", () => {
    const machine = new Machine();
    settle(machine, targetOf([{ workload: "web", version: 1, count: 1, volume: false }]));
    const [old] = machine.instances.keys();
    for (const [id, instance] of machine.instances) {
      machine.instances.set(id, { ...instance, serving: "no", accepts: "yes" });
    }
    const next = targetOf([{ workload: "web", version: 2, count: 1, volume: false }]);
    const steps = plan(next, machine.observe());
    expect(steps).toMatchObject([{ kind: "start" }]);
    for (const step of steps) machine.take(step);
    expect(plan(next, machine.observe())).toEqual([]);
    for (const [id, instance] of machine.instances) {
      if (id !== old) machine.instances.set(id, { ...instance, serving: "yes", accepts: "yes" });
    }
    expect(plan(next, machine.observe())).toMatchObject([{ kind: "remove", id: old }]);
    // What carries nothing is in nobody's interest.
    for (const [id, instance] of machine.instances) {
      if (id === old) machine.instances.set(id, { ...instance, accepts: "no" });
      else machine.instances.delete(id);
    }
    expect(plan(next, machine.observe())).toMatchObject([{ kind: "remove", id: old }, { kind: "start" }]);
  });

  it("waits before it rolls what it has not looked at yet", () => {
    const machine = new Machine();
    settle(machine, targetOf([{ workload: "web", version: 1, count: 1, volume: false }]));
    for (const [id, instance] of machine.instances) machine.instances.set(id, { ...instance, serving: "unknown" });
    const next = targetOf([{ workload: "web", version: 2, count: 1, volume: false }]);
    expect(plan(next, machine.observe())).toEqual([]);
  });

  it("stops nothing that an incomplete manifest leaves out, and starts what it names", () => {
    const machine = new Machine();
    settle(machine, targetOf([{ workload: "web", version: 1, count: 1, volume: false }]));
    const incomplete = {
      ...targetOf([{ workload: "api", version: 1, count: 1, volume: false }]),
      keepUnnamed: new Set(["t/1/i/1"]),
    };
    settle(machine, incomplete);
    expect(machine.serving("web")).toBe(1);
    expect(machine.serving("api")).toBe(1);
  });

  it("removes a lease's instances, then its volumes, when it ends, and those of no other", () => {
    const machine = new Machine();
    const wanted = [{ workload: "db", version: 1, count: 2, volume: true }];
    const first = targetOf(wanted, roomy, "t/1/i/1");
    const second = targetOf(wanted, roomy, "t/1/i/2");
    const both = {
      ...first,
      leases: new Set(["t/1/i/1", "t/1/i/2"]),
      workloads: [...first.workloads, ...second.workloads],
    };
    settle(machine, both);
    settle(machine, second);
    expect([...machine.volumes.values()]).toEqual(["t/1/i/2", "t/1/i/2"]);
    expect([...machine.instances.values()].map(({ labels }) => labels.lease)).toEqual(["t/1/i/2", "t/1/i/2"]);
  });
});
