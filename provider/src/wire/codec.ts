import { ListValue, NullValue, Struct, Value as WireValue } from "google-protobuf/google/protobuf/struct_pb";
import { appendKey, type PathStep } from "./path";
import { ResourceReference, Secret, Unknown, type Value, type ValueMap } from "./value";

/**
 * Between the `google.protobuf.Struct`s of the provider protocol and property values.
 * Rules: pulumi/pulumi sdk/go/common/resource/plugin/rpc.go and sdk/go/common/resource/sig.
 *
 * What encodes decodes to the same again, and numbers, keys and the order of lists come through unchanged.
 */

/** A value that has no place on the wire, or that we don't take. The message names its path, never the value. */
export class WireError extends Error {
  constructor(
    readonly path: readonly PathStep[],
    problem: string,
  ) {
    super(`${path.reduce<string>(appendKey, "") || "the properties"} ${problem}`);
    this.name = "WireError";
  }
}

const SIGNATURE = "4dabf18193072939515e22adb298388d";
const SECRET = "1b47061264138c4ac30d75fd1eb44270";
const OUTPUT = "d0e6a833031e9bbcd3f4e8bde6ca49a4";
const RESOURCE_REFERENCE = "5cf8f73096256a8f31e491e813e4eb8e";
const ASSET = "c44067f5952c0a294b673a41bacd8c17";
const ARCHIVE = "0def7320c3a5731c473e5ecbe6d01bc7";
const BYTE_STRING = "803fd3297a5875dc03ca845dda5d2a98";

const UNKNOWN_TEXT = "04da6b54-80e4-46f7-96ec-b56ff0331ba9";
/** One for each type that the program may have expected; all of them mean the same to us. */
const UNKNOWNS: ReadonlySet<string> = new Set([
  UNKNOWN_TEXT,
  "1c4a061d-8072-4f0a-a4cb-0ff528b18fe7",
  "3eeb2bf0-c639-47a8-9e75-3b44932eb421",
  "6a19a0b0-7e62-4c92-b797-7f8e31da9cc2",
  "dd056dcd-154b-4c76-9bd3-c8f88648b5ff",
  "030794c1-ac77-496b-92df-f27374a8bd58",
  "e48ece36-62e2-4504-bad9-02848725956a",
]);

/** Property values of a message. Throws WireError for assets, archives and malformed envelopes. */
export function decode(struct: Struct): ValueMap {
  return decodeMap(struct, []);
}

/** As `decode`; `undefined` where the message has none, which some requests tell apart from an empty one. */
export function decodeOptional(struct: Struct | undefined): ValueMap | undefined {
  return struct === undefined ? undefined : decode(struct);
}

/**
 * Property values for a message. Keys whose value is `undefined` are left out. Throws WireError for what no message
 * can carry unchanged: bigint (write digits), NaN and infinities, dates and other objects, half surrogate pairs.
 */
export function encode(map: ValueMap): Struct {
  return encodeMap(map, []);
}

function decodeMap(struct: Struct, path: readonly PathStep[]): ValueMap {
  const entries: [string, Value][] = [];
  struct.getFieldsMap().forEach((value: WireValue, key: string) => {
    entries.push([key, decodeValue(value, [...path, key])]);
  });
  return Object.fromEntries(entries);
}

function decodeValue(value: WireValue, path: readonly PathStep[]): Value {
  switch (value.getKindCase()) {
    case WireValue.KindCase.KIND_NOT_SET:
    case WireValue.KindCase.NULL_VALUE:
      return null;
    case WireValue.KindCase.BOOL_VALUE:
      return value.getBoolValue();
    case WireValue.KindCase.NUMBER_VALUE:
      return value.getNumberValue();
    case WireValue.KindCase.STRING_VALUE: {
      const text = value.getStringValue();
      return UNKNOWNS.has(text) ? Unknown.instance : text;
    }
    case WireValue.KindCase.LIST_VALUE:
      return (value.getListValue()?.getValuesList() ?? []).map((item, index) => decodeValue(item, [...path, index]));
    case WireValue.KindCase.STRUCT_VALUE:
      return decodeObject(value.getStructValue() ?? new Struct(), path);
  }
}

function decodeObject(struct: Struct, path: readonly PathStep[]): Value {
  const fields = struct.getFieldsMap();
  const signature = fields.get(SIGNATURE)?.getStringValue();
  switch (signature) {
    case undefined:
      return decodeMap(struct, path);
    case SECRET:
      return new Secret(decodeField(struct, "value", path, "is a secret without a value"));
    case OUTPUT: {
      const wire = fields.get("value");
      const inner = wire === undefined ? Unknown.instance : decodeValue(wire, path);
      return fields.get("secret")?.getBoolValue() ? new Secret(inner) : inner;
    }
    case RESOURCE_REFERENCE:
      return decodeReference(struct, path);
    case BYTE_STRING:
      throw new WireError(path, "is text that is not valid UTF-8, which dcx can't take");
    case ASSET:
    case ARCHIVE:
      throw new WireError(
        path,
        `is ${signature === ASSET ? "an asset" : "an archive"}, which no property of dcx takes. ` +
          "Pass its text (for example with readFileSync), or put the file into the container image.",
      );
    default:
      throw new WireError(path, `has a kind of value that this version of dcx does not know (${signature})`);
  }
}

function decodeField(struct: Struct, name: string, path: readonly PathStep[], problem: string): Value {
  const field = struct.getFieldsMap().get(name);
  if (field === undefined) {
    throw new WireError(path, problem);
  }
  return decodeValue(field, path);
}

function decodeReference(struct: Struct, path: readonly PathStep[]): ResourceReference {
  const urn = decodeField(struct, "urn", path, "refers to a resource without naming it");
  const wireId = struct.getFieldsMap().get("id");
  const id = wireId === undefined ? "" : decodeValue(wireId, path);
  if (typeof urn !== "string" || !(typeof id === "string" || id instanceof Unknown)) {
    throw new WireError(path, "is a malformed reference to a resource");
  }
  // The engine writes the empty text for an id that it does not know yet; components have none at all.
  const known = wireId !== undefined && id === "" ? Unknown.instance : id;
  const version = struct.getFieldsMap().get("packageVersion")?.getStringValue();
  return version === undefined || version === ""
    ? new ResourceReference(urn, known)
    : new ResourceReference(urn, known, version);
}

function encodeMap(map: ValueMap, path: readonly PathStep[]): Struct {
  const struct = new Struct();
  const fields = struct.getFieldsMap();
  for (const [key, value] of Object.entries<Value | undefined>(map)) {
    if (value !== undefined) {
      if (key === "__proto__") {
        // The protobuf library keeps its maps in plain objects and would lose it without a word.
        throw new WireError(path, "has a key __proto__, which has no place on the wire");
      }
      fields.set(wellFormed(key, path), encodeValue(value, [...path, key]));
    }
  }
  return struct;
}

function encodeValue(value: Value, path: readonly PathStep[]): WireValue {
  const wire = new WireValue();
  if (value === null) {
    wire.setNullValue(NullValue.NULL_VALUE);
  } else if (typeof value === "boolean") {
    wire.setBoolValue(value);
  } else if (typeof value === "number") {
    if (!Number.isFinite(value)) {
      throw new WireError(path, `is ${value}, which is no number on the wire`);
    }
    wire.setNumberValue(value);
  } else if (typeof value === "string") {
    wire.setStringValue(wellFormed(value, path));
  } else if (value instanceof Unknown) {
    wire.setStringValue(UNKNOWN_TEXT);
  } else if (value instanceof Secret) {
    wire.setStructValue(envelope(SECRET, { value: encodeValue(value.reveal(), path) }));
  } else if (value instanceof ResourceReference) {
    wire.setStructValue(encodeReference(value));
  } else if (isList(value)) {
    const list = new ListValue();
    list.setValuesList(value.map((item, index) => encodeValue(item, [...path, index])));
    wire.setListValue(list);
  } else if (isPlainObject(value)) {
    wire.setStructValue(encodeMap(value, path));
  } else {
    throw new WireError(path, `is a ${describe(value)}, which has no place on the wire`);
  }
  return wire;
}

function encodeReference(reference: ResourceReference): Struct {
  const fields: Record<string, WireValue> = { urn: text(reference.urn) };
  if (reference.id instanceof Unknown) {
    fields["id"] = text(UNKNOWN_TEXT);
  } else if (reference.id !== "") {
    fields["id"] = text(reference.id);
  }
  if (reference.packageVersion !== undefined) {
    fields["packageVersion"] = text(reference.packageVersion);
  }
  return envelope(RESOURCE_REFERENCE, fields);
}

function envelope(signature: string, fields: Readonly<Record<string, WireValue>>): Struct {
  const struct = new Struct();
  struct.getFieldsMap().set(SIGNATURE, text(signature));
  for (const [key, value] of Object.entries(fields)) {
    struct.getFieldsMap().set(key, value);
  }
  return struct;
}

function text(value: string): WireValue {
  const wire = new WireValue();
  wire.setStringValue(value);
  return wire;
}

function wellFormed(value: string, path: readonly PathStep[]): string {
  // Protobuf would replace the half pair silently, and the value would differ from itself for ever.
  if (/\p{Surrogate}/u.test(value)) {
    throw new WireError(path, "is text with half a surrogate pair");
  }
  return value;
}

// Array.isArray alone does not take a readonly array out of a union.
function isList(value: Value): value is readonly Value[] {
  return Array.isArray(value);
}

function isPlainObject(value: unknown): value is ValueMap {
  if (typeof value !== "object" || value === null) {
    return false;
  }
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === Object.prototype || prototype === null;
}

function describe(value: unknown): string {
  return typeof value === "object" && value !== null ? value.constructor.name : typeof value;
}
