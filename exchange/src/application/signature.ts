import { secp256k1 as curve } from "@noble/curves/secp256k1.js";

/** Whether a signature over a 32-byte digest is a key's: see `verifySignature`. */
export type SignatureVerifier = (signature: Uint8Array, digest: Uint8Array, publicKey: Uint8Array) => boolean;

const halfOrder = Buffer.from("7fffffffffffffffffffffffffffffff5d576e7357a4501ddfe92f46681b20a0", "hex");

// Every implementation sits behind this predicate, so that they can only disagree on mathematics, not on encodings: a
// validator that took what another refuses would fork the chain. Compressed keys only, r | s, s in the lower half.
function wellFormed(signature: Uint8Array, digest: Uint8Array, publicKey: Uint8Array): boolean {
  if (signature.length !== 64 || digest.length !== 32 || publicKey.length !== 33) return false;
  if (publicKey[0] !== 2 && publicKey[0] !== 3) return false;
  return Buffer.compare(signature.subarray(32), halfOrder) <= 0;
}

/** Verifies with @noble/curves: 20 times slower than libsecp256k1, on every platform. */
export const verifyWithNoble: SignatureVerifier = (signature, digest, publicKey) => {
  if (!wellFormed(signature, digest, publicKey)) return false;
  try {
    return curve.verify(signature, digest, publicKey, { prehash: false, lowS: true });
  } catch {
    // Not a point of the curve, or r or s out of range.
    return false;
  }
};

/** Verifies with libsecp256k1; undefined where its binding does not load. */
export const verifyWithNative: SignatureVerifier | undefined = nativeVerifier();

function nativeVerifier(): SignatureVerifier | undefined {
  let ecdsaVerify: typeof import("secp256k1").ecdsaVerify;
  try {
    // The package's own entry falls back to a pure JavaScript curve slower than ours: ask for the binding itself.
    // biome-ignore lint/style/noRestrictedGlobals: once, at the start; whether it is there changes no result
    ({ ecdsaVerify } = require("secp256k1/bindings"));
  } catch {
    return undefined;
  }
  return (signature, digest, publicKey) => {
    if (!wellFormed(signature, digest, publicKey)) return false;
    try {
      return ecdsaVerify(signature, digest, publicKey);
    } catch {
      return false;
    }
  };
}

/** Whether the 64-byte low-S signature over the digest was made by the 33-byte compressed secp256k1 key. */
export const verifySignature: SignatureVerifier = verifyWithNative ?? verifyWithNoble;
