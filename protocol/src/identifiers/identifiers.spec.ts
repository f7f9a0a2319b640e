import fc from "fast-check";
import {
  clientToken,
  deploymentKey,
  fulfillmentKey,
  IdentifierError,
  isName,
  manifestSalt,
  orderKey,
  ownerStamp,
  parseDeploymentKey,
  parseFulfillmentKey,
  parseOrderKey,
  parseResourceId,
  resourceIdText,
  tenantKeyFromPrivateKey,
  tenantKeyFromSecret,
} from ".";
import { frame } from "./frame";

const tenant = fc.stringMatching(/^dcx1[a-z0-9]{38}$/);
const sequence = fc.bigInt({ min: 1n, max: 2n ** 64n - 1n });
const name = fc.stringMatching(/^[a-z]([-a-z0-9]{0,38}[a-z0-9])?$/);
const chain = fc.stringMatching(/^dcx-[a-z0-9]{1,20}$/);
const count = fc.integer({ min: 1, max: 2 ** 32 - 1 });
const deployment = fc.record({ tenant, sequence });
const order = fc.record({ tenant, sequence, infrastructure: name, generation: count });

describe("text ids", () => {
  it("are read as they were printed", () => {
    fc.assert(
      fc.property(deployment, order, count, (id, orderId, index) => {
        expect(parseDeploymentKey(deploymentKey(id))).toEqual(id);
        expect(parseOrderKey(orderKey(orderId))).toEqual(orderId);
        expect(parseFulfillmentKey(fulfillmentKey({ order: orderId, index }))).toEqual({ order: orderId, index });
      }),
    );
  });

  it("name Pulumi resources", () => {
    fc.assert(
      fc.property(chain, deployment, name, (chainId, id, entry) => {
        const resource = { chain: chainId, ...id };
        for (const one of [resource, { ...resource, workload: entry }, { ...resource, connection: entry }]) {
          expect(parseResourceId(resourceIdText(one))).toEqual(one);
        }
      }),
    );
    expect(resourceIdText({ chain: "dcx-7f3a", tenant: "dcx1q9", sequence: 41n, workload: "web" })).toBe(
      "dcx-7f3a/dcx1q9/41/workloads/web",
    );
  });

  it.each([
    ["dcx1q9", "should look like"],
    ["dcx1q9/0", "not an integer"],
    ["dcx1q9/01", "not an integer"],
    ["dcx1q9/18446744073709551616", "not an integer"],
    ["DCX1/1", "not an account's address"],
    ["/1", "not an account's address"],
  ])("refuses %p as a deployment, saying why", (text, reason) => {
    expect(() => parseDeploymentKey(text)).toThrow(IdentifierError);
    expect(() => parseDeploymentKey(text)).toThrow(reason);
  });

  it.each([
    ["c/t/1/workloads", "should look like"],
    ["c/t/1/volumes/x", "neither workloads nor connections"],
    ["c/t/1/workloads/Web", "is not a name"],
    ["c d/t/1", "not a chain id"],
    ["", "should look like"],
  ])("refuses %p as a resource, saying why", (text, reason) => {
    expect(() => parseResourceId(text)).toThrow(reason);
  });
});

describe("names", () => {
  it.each(["a", "web", "web-1", "a".repeat(40)])("may be %p", (text) => expect(isName(text)).toBe(true));
  it.each(["", "Web", "1web", "web-", "-web", "we_b", "a".repeat(41), "web\n"])("may not be %p", (text) =>
    expect(isName(text)).toBe(false),
  );
});

describe("framing", () => {
  it("gives different fields different bytes", () => {
    const fields = fc.array(fc.string(), { maxLength: 4 });
    fc.assert(
      fc.property(fields, fields, (a, b) => {
        fc.pre(JSON.stringify(a) !== JSON.stringify(b));
        expect(Buffer.from(frame(...a)).equals(Buffer.from(frame(...b)))).toBe(false);
      }),
    );
  });
});

describe("derived keys", () => {
  const key = tenantKeyFromPrivateKey(new Uint8Array(32).fill(7));
  const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString("hex");

  // Test data: a change of these means that no running deployment finds itself again.
  it("stay what they are", () => {
    expect(hex(key)).toBe("cc751d6f798c1e98ae96516dc560558fba13bb0e40b979ca73a24418d1fa8b4e");
    expect(hex(tenantKeyFromSecret("a secret"))).toBe(
      "b1a684843dcf172648e0680efc979540017968405f04f042b7335d529c557c1a",
    );
    expect(hex(clientToken(key, "urn:pulumi:prod::shop::dcx:index:Deployment::shop", "default"))).toBe(
      "975fdee5531b1bc8eb54f312370b70bd30f3bf0ae44b5f128a6008249f4cf22b",
    );
    expect(manifestSalt(key, new Uint8Array(32).fill(1), new Uint8Array(32).fill(2))).toBe(
      "65f305236bb8e239a7a59a365db32dac9bbfa581e55f4f767357283fdc3f5465",
    );
    expect(ownerStamp(key, "urn:pulumi:prod::shop::dcx:index:Workload::web")).toBe(
      "fbcde3594a2c246553df3d4e99277f8d87511cfe173c2acf696aec61720d333e",
    );
  });

  it("differ by every input", () => {
    const all = [
      hex(key),
      hex(tenantKeyFromPrivateKey(new Uint8Array(32).fill(8))),
      hex(tenantKeyFromSecret("\u0007".repeat(32))),
      hex(clientToken(key, "a", "b")),
      hex(clientToken(key, "ab", "")),
      hex(clientToken(key, "b", "a")),
      ownerStamp(key, "a"),
      ownerStamp(key, "b"),
      manifestSalt(key, new Uint8Array(32), new Uint8Array(32).fill(1)),
      manifestSalt(key, new Uint8Array(32).fill(1), new Uint8Array(32)),
    ];
    expect(new Set(all).size).toBe(all.length);
  });
});
