import { typeUrls } from "../client/messages";
import {
  MsgCancelDeployment,
  MsgCancelFulfillment,
  MsgCloseLease,
  MsgGiveNotice,
  MsgRegisterDatacenter,
  MsgSubmitDeployment,
  MsgSubmitFulfillment,
  MsgSubmitLeaseConfirmation,
  MsgUpdateDeployment,
} from "../generated/dcx/exchange/v1/tx";
import { type AllowanceCodecs, grantAllowanceConverter } from "./fee-grants";

/**
 * How a message is written in the JSON that a wallet with a small screen shows and signs (SIGN_MODE_LEGACY_AMINO_JSON).
 * One is what cosmjs's `AminoTypes` takes.
 */
export interface AminoConverter {
  readonly aminoType: string;
  // Of as many types as there are messages: cosmjs has the same signature.
  // biome-ignore lint/suspicious/noExplicitAny: see above
  readonly toAmino: (value: any) => any;
  // biome-ignore lint/suspicious/noExplicitAny: see above
  readonly fromAmino: (value: any) => any;
}

/**
 * A converter for each message that can be signed so, by its type URL: all of the exchange's own, with protobuf's JSON
 * as their value, and those of the Cosmos SDK as the SDK has them. The chain goes by these: a change is a change of its
 * rules.
 */
export function aminoConverters(codecs: AllowanceCodecs): Readonly<Record<string, AminoConverter>> {
  return {
    [typeUrls.submitDeployment]: protobufJson("dcx/MsgSubmitDeployment", MsgSubmitDeployment),
    [typeUrls.updateDeployment]: protobufJson("dcx/MsgUpdateDeployment", MsgUpdateDeployment),
    [typeUrls.cancelDeployment]: protobufJson("dcx/MsgCancelDeployment", MsgCancelDeployment),
    [typeUrls.closeLease]: protobufJson("dcx/MsgCloseLease", MsgCloseLease),
    [typeUrls.registerDatacenter]: protobufJson("dcx/MsgRegisterDatacenter", MsgRegisterDatacenter),
    [typeUrls.submitFulfillment]: protobufJson("dcx/MsgSubmitFulfillment", MsgSubmitFulfillment),
    [typeUrls.cancelFulfillment]: protobufJson("dcx/MsgCancelFulfillment", MsgCancelFulfillment),
    [typeUrls.giveNotice]: protobufJson("dcx/MsgGiveNotice", MsgGiveNotice),
    [typeUrls.submitLeaseConfirmation]: protobufJson("dcx/MsgSubmitLeaseConfirmation", MsgSubmitLeaseConfirmation),
    [typeUrls.send]: renamed("cosmos-sdk/MsgSend", {
      fromAddress: "from_address",
      toAddress: "to_address",
      amount: "amount",
    }),
    [typeUrls.grantAllowance]: grantAllowanceConverter(codecs),
    [typeUrls.revokeAllowance]: renamed("cosmos-sdk/MsgRevokeAllowance", { granter: "granter", grantee: "grantee" }),
    [typeUrls.delegate]: renamed("cosmos-sdk/MsgDelegate", delegation),
    [typeUrls.undelegate]: renamed("cosmos-sdk/MsgUndelegate", delegation),
    [typeUrls.redelegate]: renamed("cosmos-sdk/MsgBeginRedelegate", {
      delegatorAddress: "delegator_address",
      validatorSrcAddress: "validator_src_address",
      validatorDstAddress: "validator_dst_address",
      amount: "amount",
    }),
    [typeUrls.withdrawRewards]: renamed("cosmos-sdk/MsgWithdrawDelegationReward", {
      delegatorAddress: "delegator_address",
      validatorAddress: "validator_address",
    }),
    [typeUrls.withdrawCommission]: renamed("cosmos-sdk/MsgWithdrawValCommission", {
      validatorAddress: "validator_address",
    }),
    [typeUrls.vote]: {
      aminoType: "cosmos-sdk/MsgVote",
      toAmino: ({ option, proposalId, voter }) => ({ option, proposal_id: proposalId.toString(), voter }),
      fromAmino: ({ option, proposal_id, voter }) => ({ option, proposalId: BigInt(proposal_id), voter }),
    },
  };
}

const delegation = {
  delegatorAddress: "delegator_address",
  validatorAddress: "validator_address",
  amount: "amount",
};

function protobufJson<Value>(
  aminoType: string,
  codec: {
    toJSON(message: Value): unknown;
    fromJSON(json: unknown): Value;
    fromPartial(partial: Partial<Value>): Value;
  },
): AminoConverter {
  return {
    aminoType,
    // A client's message may leave out what is at its default.
    toAmino: (value: Partial<Value>) => codec.toJSON(codec.fromPartial(value)),
    fromAmino: (json: unknown) => codec.fromJSON(json),
  };
}

/** Of a message that has texts and amounts alone, which stay as they are. */
function renamed(aminoType: string, names: Readonly<Record<string, string>>): AminoConverter {
  const pairs = Object.entries(names);
  return {
    aminoType,
    toAmino: (value) => Object.fromEntries(pairs.map(([ours, theirs]) => [theirs, value[ours]])),
    fromAmino: (json) => Object.fromEntries(pairs.map(([ours, theirs]) => [ours, json[theirs]])),
  };
}
