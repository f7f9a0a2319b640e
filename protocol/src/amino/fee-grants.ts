import type { AllowedMsgAllowance, BasicAllowance } from "cosmjs-types/cosmos/feegrant/v1beta1/feegrant";
import type { MsgGrantAllowance } from "cosmjs-types/cosmos/feegrant/v1beta1/tx";
import type { AminoConverter } from "./converters";

interface Codec<Value> {
  encode(message: Value): { finish(): Uint8Array };
  decode(input: Uint8Array): Value;
}

/** Given, so that nobody loads them who signs nothing. */
export interface AllowanceCodecs {
  readonly BasicAllowance: Codec<BasicAllowance>;
  readonly AllowedMsgAllowance: Codec<AllowedMsgAllowance>;
}

interface Packed {
  readonly typeUrl: string;
  readonly value: Uint8Array;
}

/** Amino's way to write what an Any holds. */
interface AminoAllowance {
  readonly type: string;
  readonly value: {
    readonly spend_limit?: readonly { readonly denom: string; readonly amount: string }[];
    readonly allowance?: AminoAllowance;
    readonly allowed_messages?: readonly string[];
  };
}

const basicUrl = "/cosmos.feegrant.v1beta1.BasicAllowance";
const allowedUrl = "/cosmos.feegrant.v1beta1.AllowedMsgAllowance";
const basicType = "cosmos-sdk/BasicAllowance";
const allowedType = "cosmos-sdk/AllowedMsgAllowance";

/** Of a grant with one of the allowances that the exchange takes, as the SDK has it since 0.46. */
export function grantAllowanceConverter(codecs: AllowanceCodecs): AminoConverter {
  return {
    aminoType: "cosmos-sdk/MsgGrantAllowance",
    toAmino: ({ granter, grantee, allowance }: MsgGrantAllowance) => {
      if (allowance === undefined) throw new Error("a grant without an allowance");
      return { granter, grantee, allowance: allowanceToAmino(codecs, allowance) };
    },
    fromAmino: ({ granter, grantee, allowance }: { granter: string; grantee: string; allowance: AminoAllowance }) => ({
      granter,
      grantee,
      allowance: allowanceFromAmino(codecs, allowance),
    }),
  };
}

function allowanceToAmino(codecs: AllowanceCodecs, { typeUrl, value }: Packed): AminoAllowance {
  if (typeUrl !== allowedUrl) return basicToAmino(codecs, { typeUrl, value });
  const { allowance, allowedMessages } = codecs.AllowedMsgAllowance.decode(value);
  if (allowance === undefined) throw new Error("an AllowedMsgAllowance around nothing");
  return {
    type: allowedType,
    value: { allowance: basicToAmino(codecs, allowance), allowed_messages: allowedMessages },
  };
}

function basicToAmino({ BasicAllowance }: AllowanceCodecs, { typeUrl, value }: Packed): AminoAllowance {
  if (typeUrl !== basicUrl) throw new Error(`an allowance of type ${JSON.stringify(typeUrl)} can't be signed so`);
  const { spendLimit, expiration } = BasicAllowance.decode(value);
  if (expiration !== undefined) throw new Error("an allowance that expires is not supported");
  return { type: basicType, value: { spend_limit: spendLimit } };
}

function allowanceFromAmino(codecs: AllowanceCodecs, { type, value }: AminoAllowance): Packed {
  if (type !== allowedType) return basicFromAmino(codecs, { type, value });
  if (value.allowance === undefined) throw new Error("an AllowedMsgAllowance around nothing");
  const allowance = basicFromAmino(codecs, value.allowance);
  const allowedMessages = [...(value.allowed_messages ?? [])];
  return {
    typeUrl: allowedUrl,
    value: codecs.AllowedMsgAllowance.encode({ allowance, allowedMessages }).finish(),
  };
}

function basicFromAmino({ BasicAllowance }: AllowanceCodecs, { type, value }: AminoAllowance): Packed {
  if (type !== basicType) throw new Error(`an allowance of type ${JSON.stringify(type)} can't be signed so`);
  const spendLimit = [...(value.spend_limit ?? [])];
  return { typeUrl: basicUrl, value: BasicAllowance.encode({ spendLimit }).finish() };
}
