import {
  ExchangeErrorCode,
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
  MsgSubmitLease,
  MsgSubmitLeaseConfirmation,
  MsgSubmitLeaseConfirmationResponse,
  MsgSubmitLeaseResponse,
  MsgSubmitStaleLease,
  MsgSubmitStaleLeaseResponse,
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
import type { TransactionContext } from "./context";
import { ExchangeError } from "./errors";
import { decode, type Handler, handler, type Message, type Origin } from "./handler";
import { stakeHandlers } from "./stake-handlers";
import type { KeyValueReader, KeyValueStore } from "./store";
import { cancelDeployment } from "./transitions/cancel-deployment";
import { cancelFulfillment } from "./transitions/cancel-fulfillment";
import { closeLease } from "./transitions/close-lease";
import { giveNotice } from "./transitions/give-notice";
import { grantAllowance } from "./transitions/grant-allowance";
import { registerDatacenter } from "./transitions/register-datacenter";
import { revokeAllowance } from "./transitions/revoke-allowance";
import { send } from "./transitions/send";
import { submitDeployment } from "./transitions/submit-deployment";
import { submitFulfillment } from "./transitions/submit-fulfillment";
import { submitLease } from "./transitions/submit-lease";
import { confirmsOwnLease, submitLeaseConfirmation } from "./transitions/submit-lease-confirmation";
import { submitStaleLease } from "./transitions/submit-stale-lease";
import { updateDeployment } from "./transitions/update-deployment";

const unsigned = (): string => {
  throw new ExchangeError(ExchangeErrorCode.FacilitatorOnly, "a facilitator's message has no signer");
};

const handlers: ReadonlyMap<string, Handler> = new Map([
  ...stakeHandlers,
  [
    "/dcx.exchange.v1.MsgSubmitDeployment",
    handler({
      origin: "transaction",
      gas: 2_000n,
      request: MsgSubmitDeployment,
      response: MsgSubmitDeploymentResponse,
      signer: (message) => message.tenant,
      transition: submitDeployment,
    }),
  ],
  [
    "/dcx.exchange.v1.MsgUpdateDeployment",
    handler({
      origin: "transaction",
      gas: 2_000n,
      request: MsgUpdateDeployment,
      response: MsgUpdateDeploymentResponse,
      signer: (message) => message.sender,
      transition: updateDeployment,
    }),
  ],
  [
    "/dcx.exchange.v1.MsgCancelDeployment",
    handler({
      origin: "transaction",
      gas: 2_000n,
      request: MsgCancelDeployment,
      response: MsgCancelDeploymentResponse,
      signer: (message) => message.tenant,
      transition: cancelDeployment,
    }),
  ],
  [
    "/dcx.exchange.v1.MsgCloseLease",
    handler({
      origin: "transaction",
      gas: 2_000n,
      request: MsgCloseLease,
      response: MsgCloseLeaseResponse,
      signer: (message) => message.sender,
      transition: closeLease,
    }),
  ],
  [
    "/dcx.exchange.v1.MsgRegisterDatacenter",
    handler({
      origin: "transaction",
      // Signatures by root certificates are checked.
      gas: 30_000n,
      request: MsgRegisterDatacenter,
      response: MsgRegisterDatacenterResponse,
      signer: (message) => message.datacenter,
      transition: registerDatacenter,
    }),
  ],
  [
    "/dcx.exchange.v1.MsgSubmitFulfillment",
    handler({
      origin: "transaction",
      gas: 2_000n,
      request: MsgSubmitFulfillment,
      response: MsgSubmitFulfillmentResponse,
      signer: (message) => message.datacenter,
      transition: submitFulfillment,
    }),
  ],
  [
    "/dcx.exchange.v1.MsgCancelFulfillment",
    handler({
      origin: "transaction",
      gas: 2_000n,
      request: MsgCancelFulfillment,
      response: MsgCancelFulfillmentResponse,
      signer: (message) => message.datacenter,
      transition: cancelFulfillment,
    }),
  ],
  [
    "/dcx.exchange.v1.MsgGiveNotice",
    handler({
      origin: "transaction",
      gas: 2_000n,
      request: MsgGiveNotice,
      response: MsgGiveNoticeResponse,
      signer: (message) => message.datacenter,
      transition: giveNotice,
    }),
  ],
  [
    "/dcx.exchange.v1.MsgSubmitLeaseConfirmation",
    handler({
      origin: "transaction",
      gas: 1_000n,
      request: MsgSubmitLeaseConfirmation,
      response: MsgSubmitLeaseConfirmationResponse,
      signer: (message) => message.datacenter,
      transition: submitLeaseConfirmation,
    }),
  ],
  [
    "/dcx.exchange.v1.MsgSubmitLease",
    handler({
      origin: "facilitator",
      gas: 2_000n,
      request: MsgSubmitLease,
      response: MsgSubmitLeaseResponse,
      signer: unsigned,
      transition: submitLease,
    }),
  ],
  [
    "/dcx.exchange.v1.MsgSubmitStaleLease",
    handler({
      origin: "facilitator",
      gas: 2_000n,
      request: MsgSubmitStaleLease,
      response: MsgSubmitStaleLeaseResponse,
      signer: unsigned,
      transition: submitStaleLease,
    }),
  ],
  [
    "/cosmos.bank.v1beta1.MsgSend",
    handler({
      origin: "transaction",
      gas: 1_000n,
      request: MsgSend,
      response: MsgSendResponse,
      signer: (message) => message.fromAddress,
      transition: send,
    }),
  ],
  [
    "/cosmos.feegrant.v1beta1.MsgGrantAllowance",
    handler({
      origin: "transaction",
      gas: 1_000n,
      request: MsgGrantAllowance,
      response: MsgGrantAllowanceResponse,
      signer: (message) => message.granter,
      transition: grantAllowance,
    }),
  ],
  [
    "/cosmos.feegrant.v1beta1.MsgRevokeAllowance",
    handler({
      origin: "transaction",
      gas: 1_000n,
      request: MsgRevokeAllowance,
      response: MsgRevokeAllowanceResponse,
      signer: (message) => message.granter,
      transition: revokeAllowance,
    }),
  ],
]);

function handlerOf(message: Message): Handler {
  const found = handlers.get(message.typeUrl);
  if (found === undefined)
    throw new ExchangeError(ExchangeErrorCode.UnknownMessage, `this exchange knows no message "${message.typeUrl}"`);
  return found;
}

/** Whether this exchange executes messages of that type, from anybody. */
export function knowsMessage(typeUrl: string): boolean {
  return handlers.has(typeUrl);
}

/** Whether only the facilitator's part of a block may hold messages of that type. */
export function isFacilitatorMessage(typeUrl: string): boolean {
  return handlers.get(typeUrl)?.origin === "facilitator";
}

/**
 * Executes one message on a branch of the state.
 *
 * @returns the encoded response message
 * @throws ExchangeError when the exchange refuses it: the caller discards the branch. Whatever else is thrown, but for
 *   what the gas meter throws, is a defect: the node must stop.
 */
export function applyMessage(
  store: KeyValueStore,
  context: TransactionContext,
  message: Message,
  origin: Origin,
): { response: Uint8Array } {
  const found = handlerOf(message);
  if (found.origin !== origin)
    throw new ExchangeError(
      ExchangeErrorCode.FacilitatorOnly,
      found.origin === "facilitator"
        ? `${message.typeUrl} is made by facilitators only, in their part of the block`
        : `${message.typeUrl} has no place in the facilitator's part of a block`,
    );
  return { response: found.apply(store, context, message.value) };
}

/**
 * The addresses that must sign a message: that in its first field.
 * @throws ExchangeError FacilitatorOnly, UnknownMessage, InvalidMessage
 */
export function requiredSigners(message: Message): string[] {
  return [handlerOf(message).signer(message.value)];
}

/**
 * Whether a part of every block is kept for a message: a confirmation by the datacenter of an active lease in it.
 * Takes what `requiredSigners` has accepted.
 */
export function hasReservedPlace(store: KeyValueReader, { typeUrl, value }: Message): boolean {
  if (typeUrl !== "/dcx.exchange.v1.MsgSubmitLeaseConfirmation") return false;
  return confirmsOwnLease(store, decode(MsgSubmitLeaseConfirmation, value));
}

export { type Account, balanceOf, collectFees, getAccount, putAccount } from "./accounts";
export { beginBlock, type Conduct } from "./begin-block";
export {
  type BlockContext,
  type Event,
  EventList,
  type EventSink,
  type GasMeter,
  type TransactionContext,
  UnlimitedGas,
} from "./context";
export { type BlockEnd, endBlock } from "./end-block";
export { ExchangeError } from "./errors";
export {
  type FacilitatorMessage,
  facilitatorMessageBytes,
  facilitatorPart,
  nextFacilitatorHeight,
} from "./facilitator-part";
export { initializeGenesis } from "./genesis";
export type { Message, Origin } from "./handler";
export { checkInvariants } from "./invariants";
export { defaultParameters } from "./parameters";
export { getChain, getParameters } from "./records";
export { nextTimerHeight } from "./timers";
export { type ValidatorUpdate, validatorSet } from "./validators";
