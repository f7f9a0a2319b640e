import type { InstanceStatus, WorkloadEvent } from "@dcx/protocol";
import { WorkloadEvents } from "./workload-events";

const statusOf = (...instances: readonly InstanceStatus[]) => ({
  workloads: { web: { desired: 1, instances: [...instances] } },
});
const running: InstanceStatus = { index: 0, state: "running", restarts: 0 };
const signal = () => new AbortController().signal;

async function all(events: AsyncIterable<WorkloadEvent>): Promise<string[]> {
  const found: string[] = [];
  for await (const { instance, message, restarts, state, time, workload } of events) {
    found.push([time, `${workload}/${instance}`, state, restarts, message].join(" ").trim());
  }
  return found;
}

test("what changes about an instance is an event, and what stays is none", async () => {
  const events = new WorkloadEvents();
  events.note("d", statusOf(running), "1");
  events.note("d", statusOf(running), "2");
  events.note("d", statusOf({ ...running, state: "exited", message: "exited with 1" }), "3");
  events.note("d", statusOf({ ...running, restarts: 1 }), "4");
  events.note("d", { workloads: {} }, "5");
  events.note("other", statusOf(running), "6");
  expect(await all(events.read("d", false, signal()))).toEqual([
    "1 web/0 running 0",
    "3 web/0 exited 0 exited with 1",
    "4 web/0 running 1",
    "5 web/0 gone 1",
  ]);
  events.retain(new Set(["other"]));
  expect(await all(events.read("d", false, signal()))).toEqual([]);
  expect(await all(events.read("other", false, signal()))).toHaveLength(1);
});

test("who follows gets those that come, also past what is kept, each once", async () => {
  const events = new WorkloadEvents();
  const stop = new AbortController();
  const got: number[] = [];
  const reading = (async () => {
    for await (const { restarts } of events.read("d", true, stop.signal)) {
      got.push(restarts);
      if (restarts === 700) stop.abort();
    }
  })();
  for (let restarts = 1; restarts <= 700; restarts++) {
    events.note("d", statusOf({ ...running, restarts }), "t");
    if (restarts % 100 === 0) await new Promise((resolve) => setImmediate(resolve));
  }
  await reading;
  expect(got).toEqual(Array.from({ length: 700 }, (_, at) => at + 1));
  expect(await all(events.read("d", false, signal()))).toHaveLength(500);
});
