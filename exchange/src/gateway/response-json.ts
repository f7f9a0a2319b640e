import {
  type DescField,
  type DescMessage,
  fromBinary,
  getOption,
  hasOption,
  type JsonValue,
  toJson,
} from "@bufbuild/protobuf";
import { type ReflectMessage, reflect } from "@bufbuild/protobuf/reflect";
import { definitions, extension } from "./definitions";
import { isOurs, paging } from "./request-json";
import { visitMessages } from "./visit";

/**
 * A response as grpc-gateway writes it for Cosmos chains: names as in the definitions, 64-bit numbers as text, bytes in
 * base64, enumerations by name, what is at its default too, `Any` with its `@type`, decimals with a point.
 */
export function jsonOfResponse(message: DescMessage, bytes: Uint8Array): JsonValue {
  const response = fromBinary(message, bytes);
  visitMessages(reflect(message, response, false), pointDecimals);
  const json = toJson(message, response, { registry: definitions, alwaysEmitImplicit: true, useProtoFieldName: true });
  writeDecimals(reflect(message, response, false), json);
  if (!isOurs(message) || typeof json !== "object" || json === null || Array.isArray(json)) return json;
  const { [paging.ours]: page, ...rest } = json;
  return page === undefined ? json : { ...rest, [paging.theirs]: page };
}

const scalarName = extension("cosmos_proto.scalar");
const decimals = new WeakMap<DescField, boolean>();

/** On the wire the SDK writes a decimal as a whole number of 10^-18. */
function pointDecimals(message: ReflectMessage): void {
  for (const field of message.fields) {
    if (field.fieldKind !== "scalar" || !message.isSet(field) || !isDecimal(field)) continue;
    const value = message.get(field);
    if (typeof value === "string") message.set(field, withPoint(value));
  }
}

/** Some decimals are bytes on the wire, that hold the number's text. In JSON they are numbers as the others. */
function writeDecimals(message: ReflectMessage, json: JsonValue): void {
  if (typeof json !== "object" || json === null || Array.isArray(json)) return;
  for (const field of message.fields) {
    const value = json[field.name];
    if (value === undefined || !message.isSet(field)) continue;
    if (field.fieldKind === "message") writeDecimals(message.get(field), value);
    if (field.fieldKind !== "scalar" || !isDecimal(field)) continue;
    const bytes: unknown = message.get(field);
    if (bytes instanceof Uint8Array) json[field.name] = withPoint(Buffer.from(bytes).toString("latin1"));
  }
}

function isDecimal(field: DescField): boolean {
  let known = decimals.get(field);
  if (known === undefined) {
    known = hasOption(field, scalarName) && getOption(field, scalarName) === "cosmos.Dec";
    decimals.set(field, known);
  }
  return known;
}

function withPoint(value: string): string {
  const [, sign, digits] = /^(-?)(\d+)$/.exec(value) ?? [];
  if (digits === undefined) return value;
  const padded = digits.padStart(19, "0");
  return `${sign}${padded.slice(0, -18)}.${padded.slice(-18)}`;
}
