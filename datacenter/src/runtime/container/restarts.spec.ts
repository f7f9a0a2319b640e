import type Docker from "dockerode";
import { restartDelays } from "../restart-delays";
import { Restarts } from "./restarts";

/** An engine with one container that has ended, as far as restarts ask it. */
class Engine {
  starts = 0;
  readonly container = {
    id: "c1",
    inspect: async () => ({ Id: "c1", State: { Running: false, StartedAt: "2026-01-01", FinishedAt: "2026-01-01" } }),
    start: async () => {
      this.starts += 1;
    },
  };
  listContainers = async () => [{ Id: "c1" }];
  getContainer = () => this.container;
}

beforeEach(() => jest.useFakeTimers());
afterEach(() => jest.useRealTimers());

/** The one failure that no engine can be made to show: it does not end a container when asked. */
it("a container that could not be ended is started again, one that was is not", async () => {
  const engine = new Engine();
  const restarts = new Restarts({
    engine: engine as unknown as Docker,
    label: "l",
    logger: { warn: () => undefined },
  });
  await restarts.look();
  const container = engine.container as unknown as Docker.Container;
  const failed = restarts.leave(container, () => Promise.reject(new Error("the engine is busy")));
  await expect(failed).rejects.toThrow("busy");
  await jest.advanceTimersByTimeAsync(restartDelays.first);
  expect(engine.starts).toBe(0);
  await restarts.look();
  await jest.advanceTimersByTimeAsync(restartDelays.first);
  expect(engine.starts).toBe(1);
  await restarts.leave(container, async () => {
    engine.listContainers = async () => [];
  });
  await jest.advanceTimersByTimeAsync(restartDelays.most);
  expect(engine.starts).toBe(1);
  restarts.close();
});
