/** The bytes of a state key: each of its characters is one (see state/store.ts). */
export function keyBytes(key: string): Buffer {
  return Buffer.from(key, "latin1");
}

/** The state key made of these bytes. */
export function keyString(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("latin1");
}

/**
 * Bytes of the longest key that lmdb keeps; the shortest has one. Of what strangers ask for some is longer, or nothing
 * at all: nothing is there, and lmdb throws where it looks for it, which must not end the node.
 */
export const longestKey = 1_978;

/** Levels of pages that are made of those below (`StoredTree`). */
export const topLevels = 3;

const upper = ".";
const lower = "/";

/**
 * Under which lmdb keeps the record of a page of the tree: it has no empty keys, and the root's path is empty. The records
 * that are read when a database is opened lie together.
 */
export function pageKey(path: string): Buffer {
  return keyBytes((path.length <= topLevels ? upper : lower) + path);
}

/** The path of the page whose record is under the key. */
export function pathOf(key: Buffer): string {
  return keyString(key.subarray(1));
}

/** The records of pages that are in memory. */
export const upperRecords = { start: keyBytes(upper), end: keyBytes(lower) };

/** The same bytes as lmdb wants them. */
export function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
