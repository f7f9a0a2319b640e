import fc from "fast-check";
import { addressOf } from "../../state/testing/names";
import type { FieldShape, Shape } from "./shapes";
import { readFields, varintOf, type WireField, writeFields } from "./wire";

/** What a mutation does, as numbers that are taken one after the other: few and small ones are found to be enough. */
export const decisions = fc.array(fc.nat(1_000_000), { minLength: 3, maxLength: 30 });

/** One of so many things. */
type Choose = (count: number) => number;

const texts = [
  "",
  "\0",
  " ",
  "..",
  "west",
  "EAST",
  "constructor",
  "__proto__",
  "\u202e",
  "é",
  "a".repeat(64),
  "a".repeat(300),
  "x".repeat(20_000),
  "-9223372036854775808",
  addressOf("alice"),
  addressOf("sierra"),
  addressOf("alice").toUpperCase(),
  addressOf("alice").replace(/.$/, "q"),
  "cosmos1qqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqnrql8a",
  "udcx",
  "UDCX",
  "/dcx.exchange.v1.MsgSubmitLease",
].map((text) => Buffer.from(text));
/** Neither are Unicode. */
const noTexts = [Buffer.from([0xff, 0xfe]), Buffer.from([0xed, 0xa0, 0x80])];
const integers = [
  0n,
  1n,
  2n,
  255n,
  2n ** 31n,
  2n ** 32n - 1n,
  2n ** 53n,
  2n ** 63n - 1n,
  2n ** 63n,
  2n ** 64n - 1n,
  2n ** 70n,
];

/** The message after some changes that the decisions name, each somewhere in it. */
export function mutate(
  bytes: Uint8Array,
  shape: Shape,
  named: readonly number[],
  others: readonly Uint8Array[],
): Uint8Array {
  let at = 0;
  const choose: Choose = (count) => (count === 0 ? 0 : (named[at++ % named.length] ?? 0) % count);
  let mutated = bytes;
  const changes = 1 + choose(4);
  for (let change = 0; change < changes; change += 1) mutated = once(mutated, shape, choose, others, 0);
  return mutated;
}

function once(
  bytes: Uint8Array,
  shape: Shape,
  choose: Choose,
  others: readonly Uint8Array[],
  depth: number,
): Uint8Array {
  const fields = read(bytes);
  if (fields === undefined) return bytes;
  const field = shape[choose(shape.length)];
  const place = fields.findIndex((one) => one.number === field?.number);
  const there = fields[place];
  // What lies deeper is reached oftener than by chance alone: there most of the rules are.
  if (field?.within !== undefined && there !== undefined && depth < 6 && choose(4) > 0) {
    const payload = once(there.payload, field.within(there.payload), choose, others, depth + 1);
    return writeFields(fields.with(place, { ...there, payload }));
  }
  return writeFields(changed(fields, field, place, choose, others));
}

function changed(
  fields: readonly WireField[],
  field: FieldShape | undefined,
  place: number,
  choose: Choose,
  others: readonly Uint8Array[],
): WireField[] {
  const there = fields[place];
  switch (choose(7)) {
    case 0:
      return fields.filter((_, index) => index !== place);
    case 1:
      return there === undefined ? [...fields] : [...fields, ...Array.from({ length: 1 + choose(200) }, () => there)];
    case 2:
      return fields.toSorted((one, other) => other.number - one.number);
    case 3:
      return [...fields, { number: 1 + choose(3_000), type: 0, payload: varintOf(5n) }];
    case 4: {
      const other = read(others[choose(others.length)] ?? new Uint8Array());
      const one = other?.[choose(other.length)];
      return one === undefined ? [...fields] : sorted([...fields, one]);
    }
    default:
      return field === undefined ? [...fields] : put(fields, place, fill(field, choose));
  }
}

/** Something that could be in the field, or not quite. */
function fill({ kind, number, within }: FieldShape, choose: Choose, depth = 0): WireField {
  const integer = () => varintOf(integers[choose(integers.length)] ?? 0n);
  if (kind === "integer32" || kind === "integer64" || kind === "flag") return { number, type: 0, payload: integer() };
  if (within !== undefined && depth < 4 && choose(5) > 0) {
    const inner = within(noBytes);
    const filled = Array.from({ length: Math.min(inner.length, 1 + choose(4)) }, () => inner[choose(inner.length)]);
    const fields = filled.flatMap((field) => (field === undefined ? [] : [fill(field, choose, depth + 1)]));
    return { number, type: 2, payload: writeFields(sorted(fields)) };
  }
  if (kind === "text" && choose(8) > 0) return { number, type: 2, payload: texts[choose(texts.length)] ?? noBytes };
  if (kind === "text") return { number, type: 2, payload: noTexts[choose(noTexts.length)] ?? noBytes };
  const payload = Buffer.alloc([0, 1, 20, 31, 32, 33, 64, 65, 1_000][choose(9)] ?? 0, choose(256));
  return { number, type: 2, payload };
}

const noBytes = new Uint8Array();

function put(fields: readonly WireField[], place: number, field: WireField): WireField[] {
  return place === -1 ? sorted([...fields, field]) : fields.with(place, field);
}

function sorted(fields: readonly WireField[]): WireField[] {
  return fields.toSorted((one, other) => one.number - other.number);
}

function read(bytes: Uint8Array): WireField[] | undefined {
  try {
    return readFields(bytes);
  } catch {
    return undefined;
  }
}

/** Bytes after some changes that know nothing of what they mean. */
export function damage(bytes: Uint8Array, named: readonly number[], other: Uint8Array): Uint8Array {
  let damaged = Buffer.from(bytes);
  for (let at = 0; at + 2 < named.length; at += 3) {
    const [what = 0, where = 0, value = 0] = named.slice(at, at + 3);
    const place = where % (damaged.length + 1);
    const before = damaged.subarray(0, place);
    const after = damaged.subarray(place);
    switch (what % 6) {
      case 0:
        if (after.length > 0)
          damaged = Buffer.concat([before, Buffer.of((after[0] ?? 0) ^ (1 << (value % 8))), after.subarray(1)]);
        break;
      case 1:
        damaged = Buffer.concat([before, Buffer.of(value % 256), after]);
        break;
      case 2:
        damaged = Buffer.concat([before, after.subarray(1 + (value % 8))]);
        break;
      case 3:
        damaged = Buffer.from(before);
        break;
      case 4:
        damaged = Buffer.concat([before, Buffer.from(other).subarray(value % (other.length + 1)), after]);
        break;
      default:
        damaged = Buffer.concat([before, after.subarray(0, value % 40), after]);
    }
  }
  return damaged;
}
