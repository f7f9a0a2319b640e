import { Turns } from "./turns";

describe("who fetches a manifest from a holder", () => {
  it("is two at a time, each until it has all or does not go on", () => {
    const turns = new Turns();
    expect(["a", "b", "c"].map((peer) => turns.admit("m", peer, 0))).toEqual([true, true, false]);
    expect(turns.admit("other", "c", 0)).toBe(true);
    turns.gave("m", "a", false, 100);
    expect(turns.admit("m", "c", 200)).toBe(false);
    expect(turns.admit("m", "a", 200)).toBe(true);
    turns.gave("m", "a", true, 300);
    expect(turns.admit("m", "c", 300)).toBe(true);
    turns.gave("m", "b", false, 400);
    expect(turns.admit("m", "d", 3_399)).toBe(false);
    expect(turns.admit("m", "d", 3_400)).toBe(true);
  });

  it("gives way after a minute to who waits", () => {
    const turns = new Turns();
    for (const peer of ["a", "b", "c"]) turns.admit("m", peer, 0);
    turns.gave("m", "a", false, 60_000);
    expect(turns.admit("m", "a", 60_001)).toBe(false);
    expect(turns.admit("m", "c", 60_002)).toBe(true);
  });

  it("keeps its place where nobody waits", () => {
    const turns = new Turns();
    turns.admit("m", "a", 0);
    turns.gave("m", "a", false, 100_000);
    expect(turns.admit("m", "a", 100_001)).toBe(true);
  });
});
