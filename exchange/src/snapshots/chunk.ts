import { BinaryReader, BinaryWriter } from "cosmjs-types/binary";
import { sha256 } from "../storage/sha256";

/** Of what is in a chunk and how chunks are cut: nodes only take snapshots of a format that they know. */
export const snapshotFormat = 1;

/** A chunk ends with the entry that makes it this long, in bytes. CometBFT hands over 16 MiB at most. */
const chunkBytes = 4 * 1024 * 1024;

export type Entry = readonly [key: Uint8Array, value: Uint8Array];

/**
 * Cuts entries, in the byte order of their keys, into chunks: each key and value with its length before it. The same
 * state makes the same chunks on every node, or a node could not fetch them from several.
 */
export function* encodeChunks(entries: Iterable<Entry>): Generator<Uint8Array> {
  let writer = BinaryWriter.create();
  let bytes = 0;
  for (const [key, value] of entries) {
    writer.bytes(key).bytes(value);
    bytes += key.length + value.length;
    if (bytes >= chunkBytes) {
      yield writer.finish();
      writer = BinaryWriter.create();
      bytes = 0;
    }
  }
  if (bytes > 0) yield writer.finish();
}

/** @throws when the bytes are no chunk */
export function* decodeChunk(chunk: Uint8Array): Generator<Entry> {
  const reader = new BinaryReader(chunk);
  while (reader.pos < reader.len) {
    const key = reader.bytes();
    yield [key, reader.bytes()];
  }
}

/** What peers are told of a snapshot beside its height: one SHA-256 for each chunk. */
export function metadataOf(chunkHashes: readonly Uint8Array[]): Buffer {
  return Buffer.concat(chunkHashes);
}

/** The chunks' hashes again. `undefined`: this is not what a node of this format says of `chunks` chunks. */
export function chunkHashes(metadata: Uint8Array, hash: Uint8Array, chunks: number): readonly Buffer[] | undefined {
  const bytes = Buffer.from(metadata);
  if (bytes.length !== 32 * chunks || !sha256(bytes).equals(hash)) return undefined;
  return Array.from({ length: chunks }, (_, index) => bytes.subarray(32 * index, 32 * (index + 1)));
}
