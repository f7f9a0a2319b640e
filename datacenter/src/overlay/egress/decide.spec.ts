import fc from "fast-check";
import { addressReason, type InternetRule, portReason, privateReason } from "./decide";

const limits = { deny: ["198.41.0.0/24"], denyPorts: [25] };
const own = ["192.0.2.1", "9.9.9.1", "2620:fe::1", "fe80::1"];
const reason = (rules: readonly InternetRule[], address: string, port = 443) =>
  addressReason(rules, limits, own, address, port);

describe("what is never reached", () => {
  it.each([
    ["this machine", ["127.0.0.1", "127.255.0.9", "::1", "0.0.0.0", "::", "::ffff:127.0.0.1", "::ffff:7f00:1"]],
    ["private networks", ["10.0.0.1", "172.16.0.1", "172.31.255.255", "192.168.1.1", "fd00::1", "fc00::1", "fec0::1"]],
    ["behind a carrier's translation", ["100.64.0.1", "100.100.100.200"]],
    ["metadata services", ["169.254.169.254", "fd00:ec2::254", "192.0.0.192", "168.63.129.16", "fe80::a9fe:a9fe"]],
    ["several at once", ["224.0.0.1", "255.255.255.255", "ff02::1", "240.0.0.1"]],
    ["examples and measurements", ["192.0.2.7", "198.51.100.7", "203.0.113.7", "198.18.0.1", "2001:db8::1"]],
    ["other ways to write IPv4", ["::127.0.0.1", "64:ff9b::7f00:1", "2002:7f00:1::", "2001::1", "::ffff:0:7f00:1"]],
    ["what is no address", ["", "localhost", "example.org", "1.2.3.4.5", "[::1]"]],
  ])("%s", (_what, addresses) => {
    for (const address of addresses) {
      expect({ address, why: privateReason(address) }).toEqual({ address, why: expect.any(String) });
      expect(reason([{}], address)).toEqual(expect.any(String));
    }
  });

  it("has nothing against public addresses", () => {
    for (const address of ["1.1.1.1", "172.32.0.1", "9.9.9.9", "2606:4700:4700::1111", "::ffff:1.1.1.1"]) {
      expect({ address, why: reason([{}], address) }).toEqual({ address, why: undefined });
    }
  });

  it("holds whatever a manifest declares", () => {
    const rule: InternetRule = { addresses: ["0.0.0.0/0", "::/0", "10.0.0.0/8", "::ffff:0:0/96"] };
    const closed = fc.oneof(
      fc.tuple(fc.constantFrom("10", "127"), fc.nat(255), fc.nat(255), fc.nat(255)),
      fc.tuple(fc.constant("192"), fc.constant(168), fc.nat(255), fc.nat(255)),
      fc.tuple(fc.constant("172"), fc.integer({ min: 16, max: 31 }), fc.nat(255), fc.nat(255)),
      fc.tuple(fc.constant("169"), fc.constant(254), fc.nat(255), fc.nat(255)),
      fc.tuple(fc.constant("100"), fc.integer({ min: 64, max: 127 }), fc.nat(255), fc.nat(255)),
    );
    fc.assert(
      fc.property(closed, fc.boolean(), fc.integer({ min: 1, max: 65_535 }), (parts, mapped, port) => {
        const text = `${mapped ? "::ffff:" : ""}${parts.join(".")}`;
        return reason([rule, { addresses: [`${parts.join(".")}/32`] }], text, port) !== undefined;
      }),
    );
  });

  it("includes the datacenter's own addresses, and what its operator adds", () => {
    expect(reason([{}], "9.9.9.1")).toContain("own");
    expect(reason([{}], "::ffff:9.9.9.1")).toContain("own");
    expect(reason([{}], "2620:fe:0::1")).toContain("own");
    expect(reason([{}], "198.41.0.4")).toContain("lets nobody reach it");
    expect(reason([{ ports: [25] }], "1.1.1.1", 25)).toContain("lets nobody reach port 25");
  });
});

describe("what rules allow", () => {
  const rules: InternetRule[] = [{ addresses: ["1.1.0.0/16", "2606:4700::/32"], ports: [443, 80] }, { ports: [5432] }];

  it("is the addresses and ports of one rule together", () => {
    expect(reason(rules, "1.1.1.1", 443)).toBeUndefined();
    expect(reason(rules, "::ffff:1.1.1.1", 80)).toBeUndefined();
    expect(reason(rules, "2606:4700::1", 80)).toBeUndefined();
    expect(reason(rules, "8.8.8.8", 5432)).toBeUndefined();
    expect(reason(rules, "1.2.1.1", 443)).toContain("no egress rule");
    expect(reason(rules, "2606:4701::1", 443)).toContain("no egress rule");
    expect(reason(rules, "1.1.1.1", 22)).toContain("no egress rule of the workload names port 22");
  });

  it("is nothing where there is none", () => {
    expect(reason([], "1.1.1.1")).toContain("no egress rule");
    expect(portReason([], limits, 443)).toContain("443");
  });

  it("takes a block of IPv4 that is written as IPv6 for what it is, and no wider", () => {
    expect(reason([{ addresses: ["::ffff:1.1.0.0/112"] }], "1.1.9.9")).toBeUndefined();
    expect(reason([{ addresses: ["::ffff:1.1.0.0/112"] }], "1.2.9.9")).toContain("no egress rule");
    expect(reason([{ addresses: ["0.0.0.0/0"] }], "2606:4700::1")).toContain("no egress rule");
  });
});
