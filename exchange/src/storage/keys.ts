/** The bytes of a state key: each of its characters is one (see state/store.ts). */
export function keyBytes(key: string): Buffer {
  return Buffer.from(key, "latin1");
}

/** The state key made of these bytes. */
export function keyString(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("latin1");
}
