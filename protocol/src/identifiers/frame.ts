import { concatBytes, utf8ToBytes } from "@noble/hashes/utils.js";

/**
 * Joins fields so that no two different lists give the same bytes: each is preceded by its length (4 bytes, big
 * endian). The first field names what the bytes are for, so that a signature or a hash made for one purpose means
 * nothing for another.
 */
export function frame(...fields: readonly (string | Uint8Array)[]): Uint8Array {
  return concatBytes(
    ...fields.flatMap((field) => {
      const bytes = typeof field === "string" ? utf8ToBytes(field) : field;
      const length = new Uint8Array(4);
      new DataView(length.buffer).setUint32(0, bytes.length);
      return [length, bytes];
    }),
  );
}
