import fc from "fast-check";
import { keyAfter, orderKey, prefixEnd, rateKey, readOrderKey, readUint64, uint32Key, uint64Key } from "./keys";

const uint64 = fc.bigInt({ min: 0n, max: 2n ** 64n - 1n });
const rate = fc.bigInt({ min: 0n, max: 2n ** 192n - 1n });

describe("keys", () => {
  test("numbers sort as numbers, in a fixed width", () => {
    for (const [number, keyOf, width] of [
      [uint64, uint64Key, 8],
      [rate, rateKey, 24],
    ] as const)
      fc.assert(
        fc.property(number, number, (left, right) => {
          expect(keyOf(left)).toHaveLength(width);
          expect(keyOf(left) < keyOf(right)).toBe(left < right);
        }),
      );
    expect(uint32Key(0xfedcba98)).toBe("\xfe\xdc\xba\x98");
    fc.assert(fc.property(uint64, (value) => expect(readUint64(uint64Key(value), 0)).toBe(value)));
  });

  test("an order's key gives its id back, whatever bytes its numbers have", () => {
    const id = fc.record({
      tenant: fc.stringMatching(/^[a-z0-9]{1,20}$/),
      sequence: uint64,
      infrastructure: fc.stringMatching(/^[A-Za-z0-9._-]{1,20}$/),
      generation: fc.nat(),
    });
    fc.assert(fc.property(id, (one) => expect(readOrderKey(orderKey(one))).toEqual(one)));
  });

  test("the end of a prefix comes right after all that begin with it", () => {
    expect(prefixEnd("ab")).toBe("ac");
    expect(prefixEnd("a\xff\xff")).toBe("b");
    expect(keyAfter("a") > "a" && keyAfter("a") < "a\0\0").toBe(true);
  });
});
