import { type DescField, type DescMessage, ScalarType } from "@bufbuild/protobuf";
import { definitions } from "../../gateway/definitions";
import { readFields } from "./wire";

/** What a field holds, as far as it matters for what to put into it. */
type Kind = "integer32" | "integer64" | "flag" | "text" | "bytes" | "message";

export interface FieldShape {
  readonly name: string;
  readonly number: number;
  readonly kind: Kind;
  /** Of a message: what it is, by the bytes that are there. */
  readonly within: ((bytes: Uint8Array) => Shape) | undefined;
}

export type Shape = readonly FieldShape[];

const shapes = new Map<string, Shape>();

/** Messages of the Cosmos SDK that the definitions lack, for no endpoint speaks of them. */
const besides: Readonly<Record<string, readonly (readonly [name: string, kind: Kind, type?: string])[]>> = {
  "cosmos.gov.v1beta1.MsgSubmitProposal": [
    ["content", "message", "google.protobuf.Any"],
    ["initial_deposit", "message", "cosmos.base.v1beta1.Coin"],
    ["proposer", "text"],
  ],
  "cosmos.gov.v1beta1.MsgVote": [
    ["proposal_id", "integer64"],
    ["voter", "text"],
    ["option", "integer32"],
  ],
  "cosmos.params.v1beta1.ParameterChangeProposal": [
    ["title", "text"],
    ["description", "text"],
    ["changes", "message", "cosmos.params.v1beta1.ParamChange"],
  ],
  "cosmos.params.v1beta1.ParamChange": [
    ["subspace", "text"],
    ["key", "text"],
    ["value", "text"],
  ],
  "cosmos.slashing.v1beta1.MsgUnjail": [["validator_addr", "text"]],
  "cosmos.distribution.v1beta1.MsgWithdrawDelegatorReward": [
    ["delegator_address", "text"],
    ["validator_address", "text"],
  ],
  "cosmos.distribution.v1beta1.MsgWithdrawValidatorCommission": [["validator_address", "text"]],
};

/** The fields of a type. @throws when nobody has defined it */
export function shapeOf(type: string): Shape {
  const known = shapes.get(type);
  if (known !== undefined) return known;
  const desc = definitions.getMessage(type);
  const extra = besides[type];
  if (desc === undefined && extra === undefined) throw new Error(`no definition of ${type}: add it to shapes.ts`);
  const shape =
    desc?.fields.map(fieldShape) ??
    (extra ?? []).map(([name, kind, of], index) => ({
      name,
      number: index + 1,
      kind,
      within: of === undefined ? undefined : within(of),
    }));
  shapes.set(type, shape);
  return shape;
}

function fieldShape(field: DescField): FieldShape {
  const { name, number } = field;
  const message = messageOf(field);
  if (message !== undefined) return { name, number, kind: "message", within: within(message.typeName) };
  return { name, number, kind: scalarKind(field), within: undefined };
}

function messageOf(field: DescField): DescMessage | undefined {
  return field.fieldKind === "message" || (field.fieldKind === "list" && field.listKind === "message")
    ? field.message
    : undefined;
}

function scalarKind(field: DescField): Kind {
  if (field.fieldKind === "enum" || (field.fieldKind === "list" && field.listKind === "enum")) return "integer32";
  const scalar = field.fieldKind === "scalar" || field.fieldKind === "list" ? field.scalar : undefined;
  switch (scalar) {
    case ScalarType.STRING:
      return "text";
    case ScalarType.BYTES:
      return "bytes";
    case ScalarType.BOOL:
      return "flag";
    case ScalarType.INT32:
    case ScalarType.UINT32:
    case ScalarType.SINT32:
      return "integer32";
    default:
      return "integer64";
  }
}

function within(type: string): (bytes: Uint8Array) => Shape {
  if (type !== "google.protobuf.Any") return () => shapeOf(type);
  // Its value is a message of the type that its URL names.
  return (bytes) => {
    const named = nameIn(bytes);
    const known = definitions.getMessage(named) !== undefined || Object.hasOwn(besides, named);
    const value: FieldShape = known
      ? { name: named, number: 2, kind: "message", within: within(named) }
      : { name: "value", number: 2, kind: "bytes", within: undefined };
    return [{ name: "type_url", number: 1, kind: "text", within: undefined }, value];
  };
}

/** The type that an `Any` says it holds. Empty where it says nothing that can be read. */
function nameIn(bytes: Uint8Array): string {
  try {
    const url = readFields(bytes).find(({ number }) => number === 1)?.payload ?? new Uint8Array();
    return Buffer.from(url).toString().replace(/^\//, "");
  } catch {
    return "";
  }
}
