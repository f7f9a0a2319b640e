import type { EncodeObject, GeneratedType, Registry } from "@cosmjs/proto-signing";
import type { MsgSend } from "cosmjs-types/cosmos/bank/v1beta1/tx";
import {
  MsgCancelDeployment,
  MsgCancelDeploymentResponse,
  MsgCancelFulfillment,
  MsgCancelFulfillmentResponse,
  MsgCloseLease,
  MsgCloseLeaseResponse,
  MsgGiveNotice,
  MsgGiveNoticeResponse,
  MsgRegisterDatacenter,
  MsgRegisterDatacenterResponse,
  MsgSubmitDeployment,
  MsgSubmitDeploymentResponse,
  MsgSubmitFulfillment,
  MsgSubmitFulfillmentResponse,
  MsgSubmitLeaseConfirmation,
  MsgSubmitLeaseConfirmationResponse,
  MsgUpdateDeployment,
  MsgUpdateDeploymentResponse,
} from "../generated/dcx/exchange/v1/tx";

/** Type URLs of the messages that an account can sign. The two that facilitators make are not among them. */
export const typeUrls = {
  submitDeployment: "/dcx.exchange.v1.MsgSubmitDeployment",
  updateDeployment: "/dcx.exchange.v1.MsgUpdateDeployment",
  cancelDeployment: "/dcx.exchange.v1.MsgCancelDeployment",
  closeLease: "/dcx.exchange.v1.MsgCloseLease",
  registerDatacenter: "/dcx.exchange.v1.MsgRegisterDatacenter",
  submitFulfillment: "/dcx.exchange.v1.MsgSubmitFulfillment",
  cancelFulfillment: "/dcx.exchange.v1.MsgCancelFulfillment",
  giveNotice: "/dcx.exchange.v1.MsgGiveNotice",
  submitLeaseConfirmation: "/dcx.exchange.v1.MsgSubmitLeaseConfirmation",
  send: "/cosmos.bank.v1beta1.MsgSend",
  grantAllowance: "/cosmos.feegrant.v1beta1.MsgGrantAllowance",
  revokeAllowance: "/cosmos.feegrant.v1beta1.MsgRevokeAllowance",
  createValidator: "/cosmos.staking.v1beta1.MsgCreateValidator",
  editValidator: "/cosmos.staking.v1beta1.MsgEditValidator",
  delegate: "/cosmos.staking.v1beta1.MsgDelegate",
  undelegate: "/cosmos.staking.v1beta1.MsgUndelegate",
  redelegate: "/cosmos.staking.v1beta1.MsgBeginRedelegate",
  unjail: "/cosmos.slashing.v1beta1.MsgUnjail",
  withdrawRewards: "/cosmos.distribution.v1beta1.MsgWithdrawDelegatorReward",
  withdrawCommission: "/cosmos.distribution.v1beta1.MsgWithdrawValidatorCommission",
  submitProposal: "/cosmos.gov.v1beta1.MsgSubmitProposal",
  vote: "/cosmos.gov.v1beta1.MsgVote",
} as const;

const messageTypes: Readonly<Record<string, GeneratedType>> = {
  [typeUrls.submitDeployment]: MsgSubmitDeployment,
  [typeUrls.updateDeployment]: MsgUpdateDeployment,
  [typeUrls.cancelDeployment]: MsgCancelDeployment,
  [typeUrls.closeLease]: MsgCloseLease,
  [typeUrls.registerDatacenter]: MsgRegisterDatacenter,
  [typeUrls.submitFulfillment]: MsgSubmitFulfillment,
  [typeUrls.cancelFulfillment]: MsgCancelFulfillment,
  [typeUrls.giveNotice]: MsgGiveNotice,
  [typeUrls.submitLeaseConfirmation]: MsgSubmitLeaseConfirmation,
};

type Fields<Type extends { fromPartial(object: never): unknown }> = Parameters<Type["fromPartial"]>[0];

/** A message that is ready to be signed, with the type of its value kept. */
export interface Message<Value = unknown> extends EncodeObject {
  readonly value: Value;
}

/** One builder for each message; what is left out has its protobuf default. */
export const messages = {
  submitDeployment: (fields: Fields<typeof MsgSubmitDeployment>): Message<MsgSubmitDeployment> => ({
    typeUrl: typeUrls.submitDeployment,
    value: MsgSubmitDeployment.fromPartial(fields),
  }),
  updateDeployment: (fields: Fields<typeof MsgUpdateDeployment>): Message<MsgUpdateDeployment> => ({
    typeUrl: typeUrls.updateDeployment,
    value: MsgUpdateDeployment.fromPartial(fields),
  }),
  cancelDeployment: (fields: Fields<typeof MsgCancelDeployment>): Message<MsgCancelDeployment> => ({
    typeUrl: typeUrls.cancelDeployment,
    value: MsgCancelDeployment.fromPartial(fields),
  }),
  closeLease: (fields: Fields<typeof MsgCloseLease>): Message<MsgCloseLease> => ({
    typeUrl: typeUrls.closeLease,
    value: MsgCloseLease.fromPartial(fields),
  }),
  registerDatacenter: (fields: Fields<typeof MsgRegisterDatacenter>): Message<MsgRegisterDatacenter> => ({
    typeUrl: typeUrls.registerDatacenter,
    value: MsgRegisterDatacenter.fromPartial(fields),
  }),
  submitFulfillment: (fields: Fields<typeof MsgSubmitFulfillment>): Message<MsgSubmitFulfillment> => ({
    typeUrl: typeUrls.submitFulfillment,
    value: MsgSubmitFulfillment.fromPartial(fields),
  }),
  cancelFulfillment: (fields: Fields<typeof MsgCancelFulfillment>): Message<MsgCancelFulfillment> => ({
    typeUrl: typeUrls.cancelFulfillment,
    value: MsgCancelFulfillment.fromPartial(fields),
  }),
  giveNotice: (fields: Fields<typeof MsgGiveNotice>): Message<MsgGiveNotice> => ({
    typeUrl: typeUrls.giveNotice,
    value: MsgGiveNotice.fromPartial(fields),
  }),
  submitLeaseConfirmation: (
    fields: Fields<typeof MsgSubmitLeaseConfirmation>,
  ): Message<MsgSubmitLeaseConfirmation> => ({
    typeUrl: typeUrls.submitLeaseConfirmation,
    value: MsgSubmitLeaseConfirmation.fromPartial(fields),
  }),
  /** `amount` in micro-units. */
  send: (from: string, to: string, amount: bigint, denomination: string): Message<MsgSend> => ({
    typeUrl: typeUrls.send,
    value: { fromAddress: from, toAddress: to, amount: [{ denom: denomination, amount: amount.toString() }] },
  }),
} as const;

/** What a message answered in the block it succeeded in. */
export type MessageResponse =
  | { readonly type: "submitDeployment"; readonly value: MsgSubmitDeploymentResponse }
  | { readonly type: "updateDeployment"; readonly value: MsgUpdateDeploymentResponse }
  | { readonly type: "cancelDeployment"; readonly value: MsgCancelDeploymentResponse }
  | { readonly type: "closeLease"; readonly value: MsgCloseLeaseResponse }
  | { readonly type: "registerDatacenter"; readonly value: MsgRegisterDatacenterResponse }
  | { readonly type: "submitFulfillment"; readonly value: MsgSubmitFulfillmentResponse }
  | { readonly type: "cancelFulfillment"; readonly value: MsgCancelFulfillmentResponse }
  | { readonly type: "giveNotice"; readonly value: MsgGiveNoticeResponse }
  | { readonly type: "submitLeaseConfirmation"; readonly value: MsgSubmitLeaseConfirmationResponse }
  | { readonly type: "other"; readonly typeUrl: string; readonly value: Uint8Array };

/** Decodes one entry of TxMsgData. A type that this version does not know comes back as "other". */
export function decodeMessageResponse(typeUrl: string, value: Uint8Array): MessageResponse {
  switch (typeUrl) {
    case `${typeUrls.submitDeployment}Response`:
      return { type: "submitDeployment", value: MsgSubmitDeploymentResponse.decode(value) };
    case `${typeUrls.updateDeployment}Response`:
      return { type: "updateDeployment", value: MsgUpdateDeploymentResponse.decode(value) };
    case `${typeUrls.cancelDeployment}Response`:
      return { type: "cancelDeployment", value: MsgCancelDeploymentResponse.decode(value) };
    case `${typeUrls.closeLease}Response`:
      return { type: "closeLease", value: MsgCloseLeaseResponse.decode(value) };
    case `${typeUrls.registerDatacenter}Response`:
      return { type: "registerDatacenter", value: MsgRegisterDatacenterResponse.decode(value) };
    case `${typeUrls.submitFulfillment}Response`:
      return { type: "submitFulfillment", value: MsgSubmitFulfillmentResponse.decode(value) };
    case `${typeUrls.cancelFulfillment}Response`:
      return { type: "cancelFulfillment", value: MsgCancelFulfillmentResponse.decode(value) };
    case `${typeUrls.giveNotice}Response`:
      return { type: "giveNotice", value: MsgGiveNoticeResponse.decode(value) };
    case `${typeUrls.submitLeaseConfirmation}Response`:
      return { type: "submitLeaseConfirmation", value: MsgSubmitLeaseConfirmationResponse.decode(value) };
    default:
      return { type: "other", typeUrl, value };
  }
}

/** A registry of our messages and those of Cosmos that the exchange has, for cosmjs. It loads cosmjs, so ask for it when something is to be signed. */
export async function createRegistry(): Promise<Registry> {
  const [{ Registry }, { MsgSend }, feegrant, staking, slashing, distribution, gov] = await Promise.all([
    import("@cosmjs/proto-signing"),
    import("cosmjs-types/cosmos/bank/v1beta1/tx"),
    import("cosmjs-types/cosmos/feegrant/v1beta1/tx"),
    import("cosmjs-types/cosmos/staking/v1beta1/tx"),
    import("cosmjs-types/cosmos/slashing/v1beta1/tx"),
    import("cosmjs-types/cosmos/distribution/v1beta1/tx"),
    import("cosmjs-types/cosmos/gov/v1beta1/tx"),
  ]);
  return new Registry([
    ...Object.entries(messageTypes),
    [typeUrls.send, MsgSend],
    [typeUrls.grantAllowance, feegrant.MsgGrantAllowance],
    [typeUrls.revokeAllowance, feegrant.MsgRevokeAllowance],
    [typeUrls.createValidator, staking.MsgCreateValidator],
    [typeUrls.editValidator, staking.MsgEditValidator],
    [typeUrls.delegate, staking.MsgDelegate],
    [typeUrls.undelegate, staking.MsgUndelegate],
    [typeUrls.redelegate, staking.MsgBeginRedelegate],
    [typeUrls.unjail, slashing.MsgUnjail],
    [typeUrls.withdrawRewards, distribution.MsgWithdrawDelegatorReward],
    [typeUrls.withdrawCommission, distribution.MsgWithdrawValidatorCommission],
    [typeUrls.submitProposal, gov.MsgSubmitProposal],
    [typeUrls.vote, gov.MsgVote],
  ]);
}
