import {
  type DescField,
  type DescMessage,
  fromJson,
  type JsonValue,
  type MessageShape,
  ScalarType,
  toBinary,
} from "@bufbuild/protobuf";
import { reflect } from "@bufbuild/protobuf/reflect";
import { definitions } from "./definitions";
import { invalidArgument } from "./status";
import { visitMessages } from "./visit";

type Tree = { [name: string]: JsonValue };

/** Ours calls `page` what every other gateway's clients know as `pagination`. */
export const paging = { ours: "page", theirs: "pagination" } as const;

export function isOurs(message: DescMessage): boolean {
  return message.typeName.startsWith("dcx.");
}

/**
 * A request as it travels, from the fields that a URL names: `pagination.limit=5`, `events=a&events=b`.
 * @throws CallRefused when a value does not fit; when a field of ours is unknown (of others it is ignored, as
 * grpc-gateway does)
 */
export function requestOfFields(
  message: DescMessage,
  fields: Iterable<readonly [field: string, value: string]>,
): Uint8Array {
  const tree: Tree = {};
  for (const [path, value] of fields) put(tree, message, path, value);
  return requestOfJson(message, tree);
}

/** A request as it travels, from a JSON body. @throws CallRefused when it does not fit */
export function requestOfJson(message: DescMessage, json: JsonValue): Uint8Array {
  let read: MessageShape<DescMessage>;
  try {
    read = fromJson(message, json, { registry: definitions, ignoreUnknownFields: !isOurs(message) });
  } catch (error) {
    throw invalidArgument(error instanceof Error ? error.message : String(error));
  }
  // What is in an Any is signed with its type URL.
  visitMessages(reflect(message, read, false), () => {});
  return toBinary(message, read);
}

function put(tree: Tree, message: DescMessage, path: string, value: string): void {
  const names = path.split(".");
  let at = tree;
  let within = message;
  for (const [depth, given] of names.entries()) {
    const ours = depth === 0 && given === paging.theirs && isOurs(message);
    const field = fieldOf(within, ours ? paging.ours : given);
    const last = depth === names.length - 1;
    if (field === undefined) {
      if (isOurs(message))
        throw invalidArgument(`${path}: there is no such field; look at the definition of the query`);
      return;
    }
    if (!last) {
      if (field.fieldKind !== "message") throw invalidArgument(`${path}: ${field.name} has no fields`);
      const next = Object.hasOwn(at, field.jsonName) ? at[field.jsonName] : undefined;
      const inner: Tree = isTree(next) ? next : {};
      at[field.jsonName] = inner;
      at = inner;
      within = field.message;
      continue;
    }
    if (field.fieldKind === "list") {
      const before = Object.hasOwn(at, field.jsonName) ? at[field.jsonName] : undefined;
      at[field.jsonName] = [...(Array.isArray(before) ? before : []), value];
    } else {
      at[field.jsonName] = jsonOf(field, path, value);
    }
  }
}

function fieldOf(message: DescMessage, name: string): DescField | undefined {
  return message.fields.find((field) => field.name === name || field.jsonName === name);
}

function jsonOf(field: DescField, path: string, value: string): JsonValue {
  if (field.fieldKind === "enum") return /^\d+$/.test(value) ? Number(value) : value;
  if (field.fieldKind !== "scalar") throw invalidArgument(`${path}: name one of its fields`);
  switch (field.scalar) {
    case ScalarType.BOOL:
      if (value !== "true" && value !== "false") throw invalidArgument(`${path}: true or false is expected`);
      return value === "true";
    case ScalarType.BYTES:
      // A plus that was not encoded is read as a space.
      return value.replaceAll(" ", "+");
    default:
      return value;
  }
}

function isTree(value: JsonValue | undefined): value is Tree {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
