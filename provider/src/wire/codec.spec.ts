import fc from "fast-check";
import { ListValue, Struct, Value as WireValue } from "google-protobuf/google/protobuf/struct_pb";
import { decode, decodeOptional, encode, WireError } from "./codec";
import { ResourceReference, Secret, Unknown, type Value, type ValueMap } from "./value";

const SIGNATURE = "4dabf18193072939515e22adb298388d";

/** Values as a plain tree that names its marks, so that two of them compare by what they mean. */
function spelled(value: Value): unknown {
  if (value instanceof Secret) {
    return { secret: spelled(value.reveal()) };
  }
  if (value instanceof Unknown) {
    return "unknown";
  }
  if (value instanceof ResourceReference) {
    return { urn: value.urn, id: spelled(value.id), packageVersion: value.packageVersion };
  }
  if (Array.isArray(value)) {
    return value.map(spelled);
  }
  if (typeof value === "object" && value !== null) {
    const entries = Object.entries(value).map(([key, item]) => [key, spelled(item)] as const);
    return { map: entries.sort(([a], [b]) => (a < b ? -1 : 1)) };
  }
  return value;
}

const text = fc.string({ unit: "grapheme" });
const keys = fc.oneof(text, fc.constantFrom("constructor", "toString", "a.b")).filter((key) => key !== "__proto__");
const { values } = fc.letrec<{ values: Value }>((tie) => ({
  values: fc.oneof(
    { maxDepth: 4, depthSize: "small" },
    fc.constantFrom<Value>(null, true, false, "", "__proto__", Unknown.instance),
    fc.double({ noNaN: true, noDefaultInfinity: true }).map((number) => (Object.is(number, -0) ? 0 : number)),
    text,
    fc
      .tuple(fc.webUrl(), fc.oneof(text, fc.constant(Unknown.instance)))
      .map(([urn, id]) => new ResourceReference(urn, id)),
    tie("values").map((inner) => new Secret(inner)),
    fc.array(tie("values"), { maxLength: 4 }),
    fc.array(fc.tuple(keys, tie("values")), { maxLength: 4 }).map((entries): Value => Object.fromEntries(entries)),
  ),
}));
const maps = fc.dictionary(keys, values);

describe("the codec", () => {
  it("gives back what was put in, over the bytes of the wire", () => {
    fc.assert(
      fc.property(maps, (map) => {
        const decoded = decode(Struct.deserializeBinary(encode(map).serializeBinary()));
        expect(spelled(decoded)).toEqual(spelled(map));
      }),
      { numRuns: 300 },
    );
  });

  it("refuses a key named __proto__, which the protobuf library would lose", () => {
    const map: ValueMap = { a: Object.fromEntries([["__proto__", { polluted: true }]]) };
    expect(() => encode(map)).toThrow("a has a key __proto__");
    expect(({} as Record<string, unknown>)["polluted"]).toBeUndefined();
  });

  it.each([
    ["text", "04da6b54-80e4-46f7-96ec-b56ff0331ba9"],
    ["bool", "1c4a061d-8072-4f0a-a4cb-0ff528b18fe7"],
    ["number", "3eeb2bf0-c639-47a8-9e75-3b44932eb421"],
    ["array", "6a19a0b0-7e62-4c92-b797-7f8e31da9cc2"],
    ["object", "dd056dcd-154b-4c76-9bd3-c8f88648b5ff"],
    ["asset", "030794c1-ac77-496b-92df-f27374a8bd58"],
    ["archive", "e48ece36-62e2-4504-bad9-02848725956a"],
  ])("reads an unknown %s as unknown", (_, sentinel) => {
    expect(decode(Struct.fromJavaScript({ a: [sentinel] }))).toEqual({ a: [Unknown.instance] });
  });

  it("reads output values as what they hold", () => {
    const output = (fields: Record<string, string | boolean>) => ({
      [SIGNATURE]: "d0e6a833031e9bbcd3f4e8bde6ca49a4",
      ...fields,
    });
    const decoded = decode(
      Struct.fromJavaScript({
        known: output({ value: "v" }),
        secret: output({ value: "v", secret: true }),
        unknown: output({}),
        secretUnknown: output({ secret: true }),
      }),
    );
    expect(spelled(decoded)).toEqual(
      spelled({
        known: "v",
        secret: new Secret("v"),
        unknown: Unknown.instance,
        secretUnknown: new Secret(Unknown.instance),
      }),
    );
  });

  it("reads a reference whose id is not known yet, and one to a component", () => {
    const reference = (fields: Record<string, string>) => ({
      [SIGNATURE]: "5cf8f73096256a8f31e491e813e4eb8e",
      urn: "urn:x",
      ...fields,
    });
    expect(
      decode(
        Struct.fromJavaScript({
          known: reference({ id: "i", packageVersion: "0.1.0" }),
          unknown: reference({ id: "" }),
          component: reference({}),
        }),
      ),
    ).toEqual({
      known: new ResourceReference("urn:x", "i", "0.1.0"),
      unknown: new ResourceReference("urn:x", Unknown.instance),
      component: new ResourceReference("urn:x", ""),
    });
  });

  it.each([
    ["an asset", "c44067f5952c0a294b673a41bacd8c17"],
    ["an archive", "0def7320c3a5731c473e5ecbe6d01bc7"],
  ])("refuses %s, saying where and what to do", (name, signature) => {
    const struct = Struct.fromJavaScript({ environment: { "A.B": { [SIGNATURE]: signature, text: "hush" } } });
    expect(() => decode(struct)).toThrow(`environment["A.B"] is ${name}`);
    expect(() => decode(struct)).toThrow("Pass its text");
    expect(() => decode(struct)).not.toThrow("hush");
  });

  it("refuses kinds of values from the future", () => {
    expect(() => decode(Struct.fromJavaScript({ a: { [SIGNATURE]: "newer" } }))).toThrow(WireError);
  });

  it("tells properties that are absent from empty ones", () => {
    expect(decodeOptional(undefined)).toBeUndefined();
    expect(decodeOptional(new Struct())).toEqual({});
  });

  it("reads a value of no kind as null", () => {
    const list = new ListValue();
    list.addValues(new WireValue());
    const holder = new WireValue();
    holder.setListValue(list);
    const struct = new Struct();
    struct.getFieldsMap().set("a", holder);
    expect(decode(struct)).toEqual({ a: [null] });
  });

  describe("given what the types forbid", () => {
    const encodeAnything = (value: unknown) => encode({ outer: { list: [value] } } as unknown as ValueMap);

    it.each([
      ["a bigint", 12n, "outer.list[0] is a bigint"],
      ["NaN", Number.NaN, "outer.list[0] is NaN"],
      ["infinity", Number.POSITIVE_INFINITY, "outer.list[0] is Infinity"],
      ["a date", new Date(0), "outer.list[0] is a Date"],
      ["a function", () => 1, "outer.list[0] is a function"],
      ["undefined in a list", undefined, "outer.list[0] is a undefined"],
      ["half a surrogate pair", "\ud800", "outer.list[0] is text with half a surrogate pair"],
    ])("refuses %s, naming the path", (_, value, message) => {
      expect(() => encodeAnything(value)).toThrow(message);
    });

    it("leaves out keys whose value is undefined", () => {
      expect(encode({ a: undefined, b: 1 } as unknown as ValueMap).toJavaScript()).toEqual({ b: 1 });
    });
  });
});
