import { outdatedSnapshots } from "./retention";

const now = 1_000_000;
const heights = Array.from({ length: 12 }, (_, index) => BigInt(index + 1) * 10n);

describe("which snapshots go", () => {
  it("keeps the newest two where nobody asked", () => {
    expect(outdatedSnapshots(heights, new Map(), now)).toEqual(heights.slice(0, -2));
    expect(outdatedSnapshots([10n], new Map(), now)).toEqual([]);
  });

  it("keeps one that a peer was told of for as long as a peer may take to come back for it", () => {
    const offered = new Map([
      [80n, now - 119_000],
      [90n, now - 121_000],
    ]);
    const outdated = outdatedSnapshots(heights, offered, now);
    expect(outdated).not.toContain(80n);
    expect(outdated).toContain(90n);
  });

  it("keeps ten at most, however often peers ask", () => {
    const offered = new Map(heights.map((height) => [height, now]));
    expect(outdatedSnapshots(heights, offered, now)).toEqual([10n, 20n]);
  });
});
