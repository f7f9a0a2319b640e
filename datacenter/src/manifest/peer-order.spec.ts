import { lines, peerOrder } from "./peer-order";

describe("in which order a holder asks the others", () => {
  const holders = (count: number) => Array.from({ length: count }, (_, index) => `dcx1dc${index}`);
  const others = (all: readonly string[], own: string) => all.filter((each) => each !== own);

  it.each([1, 2, 3, 5, 10, 37, 100])("of %d: all of them, each once, and itself not", (count) => {
    const all = holders(count);
    for (const own of all) {
      expect([...peerOrder(own, others(all, own))].sort()).toEqual(others(all, own).sort());
    }
  });

  it.each([5, 10, 37, 100])("of %d: each is among the first of as many as any other", (count) => {
    const all = holders(count);
    const first = all.flatMap((own) => peerOrder(own, others(all, own)).slice(0, lines));
    const asked = all.map((each) => first.filter((peer) => peer === each).length);
    expect(new Set(asked)).toEqual(new Set([Math.min(lines, count - 1)]));
  });

  it.each([
    [10, 3],
    [100, 8],
    [1_000, 20],
  ])("of %d: whoever has it first, all have been asked for it by way of %d steps", (count, steps) => {
    const all = holders(count);
    const askers = new Map<string, string[]>(all.map((each) => [each, []]));
    for (const own of all) {
      for (const peer of peerOrder(own, others(all, own)).slice(0, lines)) askers.get(peer)?.push(own);
    }
    const having = new Set(["dcx1dc0"]);
    for (let step = 0; step < steps; step += 1) {
      for (const holder of [...having]) for (const asker of askers.get(holder) ?? []) having.add(asker);
    }
    expect(having.size).toBe(count);
  });

  it("does not say in which order those are asked that are not the first: some may be away", () => {
    const all = holders(100);
    const rest = () => peerOrder("dcx1dc0", others(all, "dcx1dc0")).slice(lines).join();
    expect(rest()).not.toBe(rest());
  });
});
