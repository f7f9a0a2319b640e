import { createHash } from "node:crypto";
import { secp256k1 } from "@noble/curves/secp256k1.js";
import fc from "fast-check";
import { verifyWithNative, verifyWithNoble } from "./signature";

const order = secp256k1.Point.Fn.ORDER;

function scalar(value: bigint): Uint8Array {
  return Buffer.from(value.toString(16).padStart(64, "0"), "hex");
}

function native(signature: Uint8Array, digest: Uint8Array, publicKey: Uint8Array): boolean {
  if (verifyWithNative === undefined) throw new Error("the native binding of secp256k1 did not load");
  return verifyWithNative(signature, digest, publicKey);
}

const bytes32 = fc.uint8Array({ minLength: 32, maxLength: 32 });
const secret = bytes32.filter((bytes) => secp256k1.utils.isValidSecretKey(bytes));

describe("the two verifiers of signatures", () => {
  test("accept what the key signed and refuse its high-S twin", () => {
    fc.assert(
      fc.property(secret, fc.uint8Array(), (key, message) => {
        const digest = createHash("sha256").update(message).digest();
        const publicKey = secp256k1.getPublicKey(key, true);
        const signature = secp256k1.sign(digest, key, { prehash: false, lowS: true });
        const s = BigInt(`0x${Buffer.from(signature.subarray(32)).toString("hex")}`);
        const highS = Buffer.concat([signature.subarray(0, 32), scalar(order - s)]);
        for (const verify of [native, verifyWithNoble]) {
          expect(verify(signature, digest, publicKey)).toBe(true);
          expect(verify(highS, digest, publicKey)).toBe(false);
          expect(verify(signature, digest, secp256k1.getPublicKey(key, false))).toBe(false);
        }
      }),
      { numRuns: 50 },
    );
  });

  test("agree on damaged and hostile input", () => {
    const edge = fc.constantFrom(0n, 1n, order - 1n, order, order + 1n, 2n ** 256n - 1n, order / 2n, order / 2n + 1n);
    const part = fc.oneof(edge.map(scalar), bytes32);
    const key = fc.oneof(
      secret.map((one) => secp256k1.getPublicKey(one, true)),
      fc.tuple(fc.constantFrom(0, 2, 3, 4, 6), part).map(([tag, x]) => Buffer.concat([Uint8Array.of(tag), x])),
    );
    fc.assert(
      fc.property(part, part, bytes32, key, (r, s, digest, publicKey) => {
        const signature = Buffer.concat([r, s]);
        expect(native(signature, digest, publicKey)).toBe(verifyWithNoble(signature, digest, publicKey));
      }),
      { numRuns: 300 },
    );
    fc.assert(
      fc.property(secret, bytes32, fc.nat(63), fc.nat(7), (one, digest, at, bit) => {
        const signature = Buffer.from(secp256k1.sign(digest, one, { prehash: false, lowS: true }));
        signature.writeUInt8(signature.readUInt8(at) ^ (1 << bit), at);
        const publicKey = secp256k1.getPublicKey(one, true);
        expect(native(signature, digest, publicKey)).toBe(verifyWithNoble(signature, digest, publicKey));
      }),
      { numRuns: 100 },
    );
  });
});
