import { idle, pause } from "./pause";
import { heldBy } from "./testing/held-by";

describe("a pause", () => {
  beforeEach(() => jest.useFakeTimers());
  afterEach(() => jest.useRealTimers());

  it("takes its time, and leaves no listener", async () => {
    const { signal } = new AbortController();
    for (const wait of [pause, idle]) {
      let over = false;
      const waiting = wait(1_000, signal).then(() => {
        over = true;
      });
      await jest.advanceTimersByTimeAsync(999);
      expect([over, heldBy(signal)]).toEqual([false, 1]);
      await jest.advanceTimersByTimeAsync(1);
      await waiting;
      expect(heldBy(signal)).toBe(0);
    }
  });

  it("of a month is not over at once, as a timer of Node's would be", async () => {
    const controller = new AbortController();
    const over = jest.fn();
    const waiting = idle(31 * 24 * 3_600_000, controller.signal).then(over);
    await jest.advanceTimersByTimeAsync(3_600_000);
    expect(over).not.toHaveBeenCalled();
    controller.abort();
    await waiting;
  });

  it("ends at once with its signal, with the reason or without", async () => {
    const controller = new AbortController();
    const both = [pause(1_000, controller.signal), idle(1_000, controller.signal)];
    const outcomes = Promise.allSettled(both);
    controller.abort(new Error("stopped"));
    await expect(outcomes).resolves.toMatchObject([
      { status: "rejected", reason: { message: "stopped" } },
      { status: "fulfilled" },
    ]);
    expect([jest.getTimerCount(), heldBy(controller.signal)]).toEqual([0, 0]);
    await expect(pause(1_000, controller.signal)).rejects.toThrow("stopped");
    await idle(1_000, controller.signal);
  });
});
