import { hash } from "node:crypto";

/** SHA-256 in one call: half a microsecond less than createHash().update().digest(), which counts in a tree. */
export function sha256(data: Uint8Array): Buffer {
  return hash("sha256", data, "buffer");
}

/**
 * 32 bytes of a SHA-256 as text: each character is one. The tree holds hundreds of thousands: a text lies in the heap,
 * where a buffer has memory of its own, which costs more to keep and to give back than to hash.
 */
export type HashText = string;

export function hashText(data: Uint8Array): HashText {
  return hash("sha256", data, "binary");
}
