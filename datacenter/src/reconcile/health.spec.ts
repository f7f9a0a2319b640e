import { PassThrough } from "node:stream";
import { HealthMonitor, type Watched } from "./health";

const watched = (changes: Partial<Watched> = {}): Watched => ({
  id: "api",
  run: "1",
  startedAt: new Date(),
  check: { tcp: true, interval: 3_600_000 },
  firstPort: 9000,
  ...changes,
});

/** A runtime whose instance accepts connections once `opens` has been called. */
function runtimeThatOpens() {
  const asked: number[] = [];
  let open = false;
  const dial = async () => {
    asked.push(performance.now());
    if (!open) throw new Error("connection refused");
    return new PassThrough();
  };
  const runtime = {
    network: async () => ({ dial, listen: () => Promise.reject(new Error("not used")) }),
    execute: async () => 0,
  };
  return {
    runtime,
    asked,
    opens: () => {
      open = true;
    },
  };
}

it("does not wait for the interval until the instance has served once", async () => {
  const { runtime, asked, opens } = runtimeThatOpens();
  const served = new Promise<void>((resolve) => {
    const monitor: HealthMonitor = new HealthMonitor(runtime, () => {
      if (monitor.of("api")?.serving === "yes") {
        monitor.close();
        resolve();
      } else {
        opens();
      }
    });
    monitor.watch([watched()]);
  });
  await served;
  expect(asked).toHaveLength(2);
});

it("asks at the interval from then on", async () => {
  const { runtime, asked, opens } = runtimeThatOpens();
  opens();
  const monitor = new HealthMonitor(runtime, () => undefined);
  const interval = 200;
  monitor.watch([watched({ check: { tcp: true, interval } })]);
  while (asked.length < 4) await new Promise((resolve) => setTimeout(resolve, 10));
  monitor.close();
  const [first = 0, , , fourth = 0] = asked;
  // Timers may be early by a millisecond each.
  expect(fourth - first).toBeGreaterThan(3 * interval - 10);
});

it("asks less and less often an instance that does not come up", async () => {
  const { runtime, asked } = runtimeThatOpens();
  const monitor = new HealthMonitor(runtime, () => undefined);
  monitor.watch([watched()]);
  while (asked.length < 5) await new Promise((resolve) => setTimeout(resolve, 10));
  monitor.close();
  const [a = 0, b = 0, , d = 0, e = 0] = asked;
  expect(e - d).toBeGreaterThan(2 * (50 - 1));
  expect(b - a).toBeGreaterThan(50 - 2);
  expect(monitor.of("api")).toBeUndefined();
});
