import { joinSignals, withJoined } from "./join-signals";
import { heldBy } from "./testing/held-by";

describe("signals that are joined", () => {
  const two = () => [new AbortController(), new AbortController()] as const;

  it("abort with the first of them, for its reason, and listen to none from then on", () => {
    const [first, second] = two();
    const { signal } = joinSignals(first.signal, second.signal);
    expect(signal.aborted).toBe(false);
    second.abort(new Error("the second"));
    expect(signal.reason).toMatchObject({ message: "the second" });
    first.abort(new Error("the first"));
    expect(signal.reason).toMatchObject({ message: "the second" });
    expect([heldBy(first.signal), heldBy(second.signal)]).toEqual([0, 0]);
  });

  it("are aborted where one of them is", () => {
    const [first, second] = two();
    second.abort(new Error("before"));
    expect(joinSignals(first.signal, second.signal).signal.reason).toMatchObject({ message: "before" });
    expect([heldBy(first.signal), heldBy(second.signal)]).toEqual([0, 0]);
  });

  it("are the one there is, and never abort where there is none", () => {
    const [{ signal }] = two();
    expect(joinSignals(undefined, signal, signal).signal).toBe(signal);
    expect(joinSignals(undefined).signal.aborted).toBe(false);
  });

  it("hold nothing of a long life once the work is done, however it ended", async () => {
    const [process, client] = two();
    AbortSignal.any([process.signal, client.signal]);
    // So much for what it is measured by.
    expect(heldBy(process.signal)).toBe(1);
    const before = [heldBy(process.signal), heldBy(client.signal)];
    for (let call = 0; call < 1_000; call += 1) {
      await withJoined([process.signal, client.signal], async (joined) =>
        withJoined([joined, client.signal], async () => call),
      );
      await withJoined([process.signal, client.signal], () => Promise.reject(new Error("failed"))).catch(
        () => undefined,
      );
    }
    expect([heldBy(process.signal), heldBy(client.signal)]).toEqual(before);
  });

  it("abort work that is under way", async () => {
    const [process, client] = two();
    const work = withJoined(
      [process.signal, client.signal],
      (joined) =>
        new Promise<never>((_resolve, reject) => joined.addEventListener("abort", () => reject(joined.reason))),
    );
    client.abort(new Error("closed"));
    await expect(work).rejects.toThrow("closed");
  });
});
