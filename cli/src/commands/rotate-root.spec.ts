import { overlapOf, describeRotation as text } from "./rotate-root";

const now = { address: "dcx1dc", chainId: "c", height: "100", blockInterval: "500", leases: 1, bids: 0, instances: 2 };
const rotation = { since: "", oldRoot: "a".repeat(64), newRoot: "b".repeat(64), standing: 0 };

test("what dcx datacenter rotate-root says", () => {
  const names = "root bbbbbbbbbbbb takes the place of aaaaaaaaaaaa";
  expect(text(now)).toBe("dcx1dc has one root, and what it issues is under that one.");
  expect(text({ ...now, rotation: { ...rotation, phase: "announcing" } })).toBe(
    `dcx1dc: ${names}; it is on its way to the chain.`,
  );
  expect(text({ ...now, rotation: { ...rotation, phase: "settling" } })).toBe(
    `dcx1dc: ${names}; both are on chain, and the others learn of it.`,
  );
  expect(text({ ...now, rotation: { ...rotation, phase: "renewed", standing: 1, endHeight: "340" } })).toBe(
    `dcx1dc: ${names}; certificates are under the new one, 1 tunnel of the old one still carries something. ` +
      "It goes when none does, at block 340 (in about 120 s) at the latest.",
  );
  expect(text({ ...now, rotation: { ...rotation, phase: "withdrawing" } })).toBe(`dcx1dc: ${names}; the old one goes.`);
});

test("an overlap of nothing has a name of its own", async () => {
  await expect(overlapOf({ overlap: "0s" })).rejects.toThrow(/--now/);
  expect(await overlapOf({ overlap: "1h" })).toBe(3_600_000);
  expect(await overlapOf({ overlap: "24h", now: true })).toBe(0);
});
