import { describe as text } from "./drain";

const selling = {
  address: "dcx1dc",
  chainId: "c",
  height: "100",
  blockInterval: "500",
  leases: 1,
  bids: 0,
  instances: 2,
};
const draining = { since: "", exit: false, withoutNotice: 0, drained: false };

test("what dcx datacenter drain says", () => {
  expect(text(selling)).toBe("dcx1dc sells: 1 lease, 0 open bids.");
  expect(text({ ...selling, draining: { ...draining, withoutNotice: 1 } })).toBe(
    "dcx1dc drains: 1 lease, 0 open bids, 2 instances.",
  );
  expect(text({ ...selling, draining: { ...draining, lastEnd: "340" } })).toBe(
    "dcx1dc drains: 1 lease, 0 open bids, 2 instances; the last notice ends at block 340, in about 120 s at the latest.",
  );
  expect(text({ ...selling, leases: 0, instances: 0, draining: { ...draining, drained: true } })).toBe(
    "dcx1dc is drained: no lease, no bid and no instance is left.",
  );
});
