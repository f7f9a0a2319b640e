import { LeaseState } from "@dcx/protocol";
import { z } from "zod";
import { wantedNodes } from "../../examples/self-managed/batch/decide";
import { Jobs, lineOf } from "../../examples/self-managed/batch/jobs";
import { expectNothingLeft, expectTokensToAddUp } from "../support/checks";
import { eventually } from "../support/world";
import { selfManaged } from "./self-managed";

jest.setTimeout(300_000);

test("wants nodes for what is to do, as many as it began with while it lasts, and none after it", () => {
  const settings = { tasksPerNode: 4, mostNodes: 4 };
  expect(wantedNodes({ unfinished: 0, nodes: 0 }, settings)).toBe(0);
  expect(wantedNodes({ unfinished: 5, nodes: 0 }, settings)).toBe(2);
  expect(wantedNodes({ unfinished: 99, nodes: 0 }, settings)).toBe(4);
  expect(wantedNodes({ unfinished: 1, nodes: 4 }, settings)).toBe(4);
  expect(wantedNodes({ unfinished: 0, nodes: 4 }, settings)).toBe(0);
});

test("gives a task that nobody finished to another node, and counts it once", () => {
  const jobs = new Jobs(1000);
  const job = jobs.add(
    [
      [0, 1],
      [1, 3],
      [2, 5],
    ],
    2,
  );
  const [first, second] = [jobs.take(0), jobs.take(0)];
  expect(jobs.take(500)).toBeUndefined();
  expect(jobs.take(1001)).toEqual(first);
  const sums = { n: 2, x: 1, y: 4, xx: 1, xy: 3 };
  jobs.finish(first?.id ?? 0, sums);
  jobs.finish(first?.id ?? 0, sums);
  expect([jobs.unfinished(), jobs.result(job)]).toEqual([1, { done: 1, of: 2 }]);
  jobs.finish(second?.id ?? 0, { n: 1, x: 2, y: 5, xx: 4, xy: 10 });
  expect(jobs.result(job)?.line).toEqual({ slope: 2, intercept: 1 });
  expect(lineOf([{ n: 3, x: 3, y: 9, xx: 5, xy: 13 }])).toEqual({ slope: 2, intercept: 1 });
});

const Added = z.object({ job: z.number() });
const Result = z.object({ done: z.number(), line: z.object({ slope: z.number(), intercept: z.number() }).optional() });

test("a management workload leases nodes for a batch, in the datacenter where it is, and gives them back after it", async () => {
  const { world, stack } = await selfManaged("batch");
  try {
    await stack.up();
    const { url, deployment: text } = await stack.outputs();
    const [, tenant = "", sequence = ""] = String(text).split("/");
    const deployment = { tenant, sequence: BigInt(sequence) };
    const client = await world.client();
    const active = async () => (await client.leases({ state: LeaseState.ACTIVE, deployment })).leases;
    expect(await active()).toHaveLength(1);

    const points = Array.from({ length: 800 }, (_, x) => [x, 3 * x + 2]);
    const body = JSON.stringify({ points, shards: 8 });
    const { job } = Added.parse(await (await fetch(`${url}/jobs`, { method: "POST", body })).json());
    const during = await eventually("nodes are leased for it", 120_000, async () => {
      const leases = await active();
      return leases.length === 2 && leases;
    });
    expect(new Set(during.map(({ datacenter }) => datacenter)).size).toBe(1);
    const batch = (await client.deployment(deployment)).deployment?.infrastructures.find(
      ({ terms }) => terms?.name === "batch",
    );
    expect(batch?.terms?.resources.map(({ count }) => count)).toEqual([2]);

    const line = await eventually(
      "the batch is done",
      120_000,
      async () => Result.parse(await (await fetch(`${url}/jobs/${job}`)).json()).line,
    );
    expect(line.slope).toBeCloseTo(3, 9);
    expect(line.intercept).toBeCloseTo(2, 6);
    await eventually("the nodes are given back", 120_000, async () => (await active()).length === 1);
    expect((await stack.preview()).steps).toEqual([]);
    await expectTokensToAddUp(world);
    await stack.destroy();
    await expectNothingLeft(world);
  } finally {
    await world.close();
  }
});
