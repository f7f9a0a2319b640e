import { hash } from "node:crypto";

/** RFC 6962's tree, as CometBFT uses it for transactions, results, validators, parts and header fields. */
export interface MerkleProof {
  readonly total: number;
  readonly index: number;
  readonly leafHash: Buffer;
  /** Siblings from the leaf upwards. */
  readonly aunts: readonly Buffer[];
}

/** The root over the leaves; SHA-256 of nothing when there are none. */
export function merkleRoot(leaves: readonly Uint8Array[]): Buffer {
  return rootOf(leaves.map(leafHash));
}

/** A proof for one leaf. @throws RangeError when there is no such leaf. */
export function merkleProof(leaves: readonly Uint8Array[], index: number): MerkleProof {
  const hashes = leaves.map(leafHash);
  const own = hashes[index];
  if (own === undefined) throw new RangeError(`no leaf ${index} among ${leaves.length}`);
  return { total: leaves.length, index, leafHash: own, aunts: auntsOf(hashes, index) };
}

function leafHash(leaf: Uint8Array): Buffer {
  const bytes = Buffer.allocUnsafe(1 + leaf.length);
  bytes[0] = 0;
  bytes.set(leaf, 1);
  return sha256(bytes);
}

function innerHash(left: Buffer, right: Buffer): Buffer {
  return sha256(Buffer.concat([Uint8Array.of(1), left, right]));
}

function rootOf(hashes: readonly Buffer[]): Buffer {
  const first = hashes[0];
  if (first === undefined) return sha256(new Uint8Array());
  if (hashes.length === 1) return first;
  const split = splitPoint(hashes.length);
  return innerHash(rootOf(hashes.slice(0, split)), rootOf(hashes.slice(split)));
}

function auntsOf(hashes: readonly Buffer[], index: number): Buffer[] {
  if (hashes.length === 1) return [];
  const split = splitPoint(hashes.length);
  const left = hashes.slice(0, split);
  const right = hashes.slice(split);
  return index < split ? [...auntsOf(left, index), rootOf(right)] : [...auntsOf(right, index - split), rootOf(left)];
}

/** The largest power of two below the length. */
function splitPoint(length: number): number {
  return 2 ** (31 - Math.clz32(length - 1));
}

function sha256(data: Uint8Array): Buffer {
  return hash("sha256", data, "buffer");
}
