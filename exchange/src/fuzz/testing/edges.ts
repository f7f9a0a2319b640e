import type { FieldShape, Shape } from "./shapes";
import { readFields, varintOf, type WireField, writeFields } from "./wire";

/** A message with one field at an edge of what it can hold, or beyond it. */
export interface Variant {
  /** Which field, and what is in it. */
  readonly what: string;
  readonly bytes: Uint8Array;
}

const power = (exponent: bigint) => 2n ** exponent;
/** More bits than any integer has: 2^70 − 1 in ten bytes, as no encoder writes it. */
const overlong = { name: "2^70-1", varint: varintOf(power(70n) - 1n) };
/** Negative numbers are written as 64 bits. */
const signed = [-1n, -power(31n), -power(31n) - 1n, -power(63n)].map((value) => power(64n) + value);
const wide = [power(53n), power(53n) + 1n, power(63n) - 1n, power(63n), power(64n) - 1n];
const narrow = [1n, power(31n) - 1n, power(31n), power(32n) - 1n, power(32n)];
const values = [...new Set([0n, ...narrow, ...wide, ...signed])];
const integers = [...values.map((value) => ({ name: `${value}`, varint: varintOf(value) })), overlong];

const nines = (count: number) => "9".repeat(count);
/** For texts that hold a number: amounts, prices, shares. */
const numbers = [
  "",
  "0",
  "-1",
  "+1",
  "01",
  "1.5",
  "1e3",
  "0x10",
  " 1",
  "1 ",
  "١",
  "NaN",
  "Infinity",
  `${power(53n) + 1n}`,
  `${power(63n) - 1n}`,
  `${power(63n)}`,
  `${power(64n) - 1n}`,
  `${power(64n)}`,
  `${power(256n)}`,
  nines(37),
  nines(38),
  nines(5_000),
];

const deepest = 5;

/**
 * The message with every integer in it, there or not, at each edge of its range and beyond; and every text that holds a
 * number likewise. Of repeated fields the first and the last.
 */
export function* edgesOf(bytes: Uint8Array, shape: Shape, path = "", depth = 0): Generator<Variant> {
  const fields = readFields(bytes);
  for (const field of shape) {
    const places = placesOf(fields, field.number);
    const name = `${path}${field.name}`;
    for (const place of places) {
      for (const variant of edgesOfField(field, place.there, name, depth))
        yield { what: variant.what, bytes: writeFields(withField(fields, place, variant.field)) };
    }
  }
}

interface FieldVariant {
  readonly what: string;
  /** Absent: left out. */
  readonly field: WireField | undefined;
}

function* edgesOfField(
  { kind, number, within }: FieldShape,
  there: WireField | undefined,
  name: string,
  depth: number,
): Generator<FieldVariant> {
  if (kind === "integer32" || kind === "integer64" || kind === "flag") {
    for (const { name: value, varint } of integers)
      yield {
        what: `${name} = ${value}`,
        // Zero is written by leaving it out.
        field: value === "0" ? undefined : { number, type: 0, payload: varint },
      };
  } else if (kind === "text" && there !== undefined && /^\d+$/.test(Buffer.from(there.payload).toString())) {
    for (const text of numbers)
      yield { what: `${name} = ${JSON.stringify(text).slice(0, 50)}`, field: textField(number, text) };
  } else if (kind === "message" && within !== undefined && depth < deepest) {
    const inner = there?.payload ?? new Uint8Array();
    if (there !== undefined) yield { what: `${name} left out`, field: undefined };
    for (const { what, bytes } of edgesOf(inner, within(inner), `${name}.`, depth + 1))
      yield { what, field: { number, type: 2, payload: bytes } };
  }
}

function textField(number: number, text: string): WireField | undefined {
  return text === "" ? undefined : { number, type: 2, payload: Buffer.from(text) };
}

interface Place {
  readonly at: number;
  /** What is put in its place. Absent: nothing is there. */
  readonly there: WireField | undefined;
}

/** Where to put a field: over the first and the last that is there, or where a new one belongs. */
function placesOf(fields: readonly WireField[], number: number): Place[] {
  const own = fields.flatMap((there, at) => (there.number === number ? [{ at, there }] : []));
  if (own.length > 0) return own.filter((_, index) => index === 0 || index === own.length - 1);
  const after = fields.findIndex((field) => field.number > number);
  return [{ at: after === -1 ? fields.length : after, there: undefined }];
}

function withField(fields: readonly WireField[], { at, there }: Place, field: WireField | undefined): WireField[] {
  const rest = fields.slice(there === undefined ? at : at + 1);
  return [...fields.slice(0, at), ...(field === undefined ? [] : [field]), ...rest];
}
