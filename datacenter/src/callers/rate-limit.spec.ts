import { networkOf } from "./network-of";
import { RateLimit } from "./rate-limit";

describe("a limit of rate", () => {
  it("lets each caller do so much at once, and so much a second from then on", () => {
    const limit = new RateLimit(2, 3);
    const admitted = (from: string, now: number, times: number) =>
      Array.from({ length: times }, () => limit.admit(from, now)).filter((each) => each).length;
    expect(admitted("203.0.113.1", 0, 10)).toBe(3);
    expect(admitted("203.0.113.2", 0, 10)).toBe(3);
    expect(admitted("203.0.113.1", 1_000, 10)).toBe(2);
  });

  it("takes a network of IPv6 for one caller, whichever of its addresses comes", () => {
    const limit = new RateLimit(1, 3);
    const admitted = Array.from({ length: 50 }, (_, n) => limit.admit(`2001:db8:1:2::${n.toString(16)}`, 0));
    expect(admitted.filter((each) => each)).toHaveLength(3);
    expect(limit.admit("2001:db8:1:3::1", 0)).toBe(true);
  });
});

test.each([
  ["203.0.113.7", "203.0.113.7"],
  ["::ffff:203.0.113.7", "::ffff:203.0.113.7"],
  ["2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"],
  ["2001:db8::6", "2001:db8:0:0::/64"],
  ["2001:db8:1:2::", "2001:db8:1:2::/64"],
  ["::1", "0:0:0:0::/64"],
  ["", ""],
])("the network of %p is %p", (address, network) => {
  expect(networkOf(address)).toBe(network);
});
