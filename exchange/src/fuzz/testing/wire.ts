/** A field of an encoded protobuf message, as it is on the wire: no type is known, no value is checked. */
export interface WireField {
  readonly number: number;
  /** 0: varint, 1: eight bytes, 2: bytes, 5: four bytes. */
  readonly type: number;
  /** Of a varint its own bytes, of bytes what follows their length. */
  readonly payload: Uint8Array;
}

/** @throws when the bytes are no message */
export function readFields(bytes: Uint8Array): WireField[] {
  const fields: WireField[] = [];
  let at = 0;
  const varint = (): Uint8Array => {
    const start = at;
    while ((byteAt(bytes, at) & 0x80) !== 0) at += 1;
    at += 1;
    return bytes.subarray(start, at);
  };
  while (at < bytes.length) {
    const tag = numberOf(varint());
    const number = Number(tag >> 3n);
    const type = Number(tag & 7n);
    if (type === 0) {
      fields.push({ number, type, payload: varint() });
      continue;
    }
    const length = type === 2 ? Number(numberOf(varint())) : type === 1 ? 8 : 4;
    if (at + length > bytes.length) throw new Error("a field is cut off");
    fields.push({ number, type, payload: bytes.subarray(at, at + length) });
    at += length;
  }
  return fields;
}

export function writeFields(fields: readonly WireField[]): Uint8Array {
  return Buffer.concat(
    fields.flatMap(({ number, type, payload }) => [
      varintOf(BigInt((number << 3) | type)),
      ...(type === 2 ? [varintOf(BigInt(payload.length))] : []),
      payload,
    ]),
  );
}

/** The shortest encoding of a value, which may be too large for any field. */
export function varintOf(value: bigint): Uint8Array {
  const bytes: number[] = [];
  let rest = value;
  for (; rest >= 0x80n; rest >>= 7n) bytes.push(Number(rest & 0x7fn) | 0x80);
  return Uint8Array.from([...bytes, Number(rest)]);
}

function numberOf(varint: Uint8Array): bigint {
  return varint.reduceRight((value, byte) => (value << 7n) | BigInt(byte & 0x7f), 0n);
}

function byteAt(bytes: Uint8Array, at: number): number {
  const byte = bytes[at];
  if (byte === undefined) throw new Error("a varint is cut off");
  return byte;
}
