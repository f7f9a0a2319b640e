import { toBinary } from "@bufbuild/protobuf";
import { type ReflectMessage, reflect } from "@bufbuild/protobuf/reflect";
import { type Any, AnySchema, anyUnpack } from "@bufbuild/protobuf/wkt";
import { definitions } from "./definitions";

/**
 * Calls `look`, which may change it, with a message and every message in it, also with those that an `Any` holds. Their
 * type URLs are afterwards as Cosmos chains write them: the name alone, after a slash.
 */
export function visitMessages(message: ReflectMessage, look: (message: ReflectMessage) => void): void {
  if (message.desc.typeName === AnySchema.typeName) {
    visitPacked(message.message as unknown as Any, look);
    return;
  }
  look(message);
  for (const field of message.fields) {
    if (!message.isSet(field)) continue;
    if (field.fieldKind === "message") {
      visitMessages(message.get(field), look);
    } else if (field.fieldKind === "list" && field.listKind === "message") {
      for (const item of message.get(field)) {
        if (isReflected(item)) visitMessages(item, look);
      }
    }
  }
}

function visitPacked(packed: Any, look: (message: ReflectMessage) => void): void {
  const inner = anyUnpack(packed, definitions);
  const desc = inner === undefined ? undefined : definitions.getMessage(inner.$typeName);
  if (inner === undefined || desc === undefined) return;
  visitMessages(reflect(desc, inner, false), look);
  packed.value = toBinary(desc, inner);
  packed.typeUrl = `/${desc.typeName}`;
}

function isReflected(item: unknown): item is ReflectMessage {
  return typeof item === "object" && item !== null && "desc" in item && "fields" in item;
}
