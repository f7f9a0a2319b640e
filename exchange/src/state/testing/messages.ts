import {
  MsgCancelDeployment,
  MsgCancelDeploymentResponse,
  MsgCancelFulfillment,
  MsgCancelFulfillmentResponse,
  MsgCloseLease,
  MsgCloseLeaseResponse,
  MsgGiveNotice,
  MsgGiveNoticeResponse,
  MsgSubmitDeployment,
  MsgSubmitDeploymentResponse,
  MsgSubmitFulfillment,
  MsgSubmitFulfillmentResponse,
  MsgSubmitLeaseConfirmation,
  MsgSubmitLeaseConfirmationResponse,
  MsgUpdateDeployment,
  MsgUpdateDeploymentResponse,
} from "@dcx/protocol";
import { MsgSend, MsgSendResponse } from "cosmjs-types/cosmos/bank/v1beta1/tx";
import {
  MsgGrantAllowance,
  MsgGrantAllowanceResponse,
  MsgRevokeAllowance,
  MsgRevokeAllowanceResponse,
} from "cosmjs-types/cosmos/feegrant/v1beta1/tx";

interface Codec<Value> {
  encode(message: Value): { finish(): Uint8Array };
  decode(input: Uint8Array): Value;
}

/** What one of the kinds of messages is made of. */
export interface Kind<Request, Response> {
  readonly typeUrl: string;
  readonly request: Codec<Request>;
  readonly response: Codec<Response>;
}

function kind<Request, Response>(
  name: string,
  request: Codec<Request>,
  response: Codec<Response>,
): Kind<Request, Response> {
  return { typeUrl: `/dcx.exchange.v1.Msg${name}`, request, response };
}

export const messages = {
  submitDeployment: kind("SubmitDeployment", MsgSubmitDeployment, MsgSubmitDeploymentResponse),
  updateDeployment: kind("UpdateDeployment", MsgUpdateDeployment, MsgUpdateDeploymentResponse),
  cancelDeployment: kind("CancelDeployment", MsgCancelDeployment, MsgCancelDeploymentResponse),
  closeLease: kind("CloseLease", MsgCloseLease, MsgCloseLeaseResponse),
  submitFulfillment: kind("SubmitFulfillment", MsgSubmitFulfillment, MsgSubmitFulfillmentResponse),
  cancelFulfillment: kind("CancelFulfillment", MsgCancelFulfillment, MsgCancelFulfillmentResponse),
  giveNotice: kind("GiveNotice", MsgGiveNotice, MsgGiveNoticeResponse),
  confirm: kind("SubmitLeaseConfirmation", MsgSubmitLeaseConfirmation, MsgSubmitLeaseConfirmationResponse),
  grantAllowance: {
    typeUrl: "/cosmos.feegrant.v1beta1.MsgGrantAllowance",
    request: MsgGrantAllowance,
    response: MsgGrantAllowanceResponse,
  },
  revokeAllowance: {
    typeUrl: "/cosmos.feegrant.v1beta1.MsgRevokeAllowance",
    request: MsgRevokeAllowance,
    response: MsgRevokeAllowanceResponse,
  },
  send: { typeUrl: "/cosmos.bank.v1beta1.MsgSend", request: MsgSend, response: MsgSendResponse },
};
