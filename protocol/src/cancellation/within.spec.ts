import { getEventListeners } from "node:events";
import { within } from "./within";

describe("what may take so long, and no longer than a signal lasts", () => {
  beforeEach(() => jest.useFakeTimers());
  afterEach(() => jest.useRealTimers());

  const untilAborted = (bounded: AbortSignal) =>
    new Promise<never>((_resolve, reject) => {
      bounded.addEventListener("abort", () => reject(bounded.reason), { once: true });
    });
  const left = (signal: AbortSignal) => [getEventListeners(signal, "abort").length, jest.getTimerCount()];

  it("leaves no listener and no timer, however it ends", async () => {
    const { signal } = new AbortController();
    await expect(within(1_000, signal, async () => "done")).resolves.toBe("done");
    expect(left(signal)).toEqual([0, 0]);
    await expect(within(1_000, signal, () => Promise.reject(new Error("failed")))).rejects.toThrow("failed");
    expect(left(signal)).toEqual([0, 0]);
    const late = expect(within(1_000, signal, untilAborted)).rejects.toMatchObject({ name: "TimeoutError" });
    expect(left(signal)).toEqual([1, 1]);
    await jest.advanceTimersByTimeAsync(1_000);
    await late;
    expect(left(signal)).toEqual([0, 0]);
  });

  it("ends with the signal, for its reason", async () => {
    const controller = new AbortController();
    const ended = expect(within(1_000, controller.signal, untilAborted)).rejects.toThrow("the agent stops");
    controller.abort(new Error("the agent stops"));
    await ended;
    expect(left(controller.signal)).toEqual([0, 0]);
    await expect(within(1_000, controller.signal, async () => "never")).rejects.toThrow("the agent stops");
  });

  it("ends also where what is asked takes no notice", async () => {
    const controller = new AbortController();
    const ended = expect(within(1_000, controller.signal, () => new Promise(() => {}))).rejects.toThrow("stopped");
    controller.abort(new Error("stopped"));
    await ended;
    const late = expect(within(1_000, new AbortController().signal, () => new Promise(() => {}))).rejects.toThrow(
      /no answer/,
    );
    await jest.advanceTimersByTimeAsync(1_000);
    await late;
  });
});
