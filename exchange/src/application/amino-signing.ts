import {
  aminoConverters,
  MsgCancelDeployment,
  MsgCancelFulfillment,
  MsgCloseLease,
  MsgGiveNotice,
  MsgRegisterDatacenter,
  MsgSubmitDeployment,
  MsgSubmitFulfillment,
  MsgSubmitLeaseConfirmation,
  MsgUpdateDeployment,
  typeUrls,
} from "@dcx/protocol";
import { MsgSend } from "cosmjs-types/cosmos/bank/v1beta1/tx";
import {
  MsgWithdrawDelegatorReward,
  MsgWithdrawValidatorCommission,
} from "cosmjs-types/cosmos/distribution/v1beta1/tx";
import { AllowedMsgAllowance, BasicAllowance } from "cosmjs-types/cosmos/feegrant/v1beta1/feegrant";
import { MsgGrantAllowance, MsgRevokeAllowance } from "cosmjs-types/cosmos/feegrant/v1beta1/tx";
import { MsgVote } from "cosmjs-types/cosmos/gov/v1beta1/tx";
import { MsgBeginRedelegate, MsgDelegate, MsgUndelegate } from "cosmjs-types/cosmos/staking/v1beta1/tx";
import { sha256 } from "../storage/sha256";
import { EnvelopeError, EnvelopeErrorCode } from "./envelope-error";
import type { EncodedMessage, Transaction } from "./transaction";

interface Codec {
  decode(bytes: Uint8Array): unknown;
  // biome-ignore lint/suspicious/noExplicitAny: a codec of the message that its own decode gave
  encode(message: any): { finish(): Uint8Array };
}

const codecs: Readonly<Record<string, Codec>> = {
  [typeUrls.submitDeployment]: MsgSubmitDeployment,
  [typeUrls.updateDeployment]: MsgUpdateDeployment,
  [typeUrls.cancelDeployment]: MsgCancelDeployment,
  [typeUrls.closeLease]: MsgCloseLease,
  [typeUrls.registerDatacenter]: MsgRegisterDatacenter,
  [typeUrls.submitFulfillment]: MsgSubmitFulfillment,
  [typeUrls.cancelFulfillment]: MsgCancelFulfillment,
  [typeUrls.giveNotice]: MsgGiveNotice,
  [typeUrls.submitLeaseConfirmation]: MsgSubmitLeaseConfirmation,
  [typeUrls.send]: MsgSend,
  [typeUrls.grantAllowance]: MsgGrantAllowance,
  [typeUrls.revokeAllowance]: MsgRevokeAllowance,
  [typeUrls.delegate]: MsgDelegate,
  [typeUrls.undelegate]: MsgUndelegate,
  [typeUrls.redelegate]: MsgBeginRedelegate,
  [typeUrls.withdrawRewards]: MsgWithdrawDelegatorReward,
  [typeUrls.withdrawCommission]: MsgWithdrawValidatorCommission,
  [typeUrls.vote]: MsgVote,
};
const converters = aminoConverters({ BasicAllowance, AllowedMsgAllowance });

type Json = string | number | boolean | null | readonly Json[] | { readonly [name: string]: Json | undefined };

/**
 * The digest that a signer of a SIGN_MODE_LEGACY_AMINO_JSON transaction signs: SHA-256 of the StdSignDoc as JSON with
 * sorted keys.
 * PERF: linear in the transaction's bytes.
 * @throws EnvelopeError for a message that has no amino JSON, or says more than its JSON does
 */
export function aminoDigest(
  transaction: Transaction,
  sequence: bigint,
  chainId: string,
  accountNumber: bigint,
): Buffer {
  return sha256(Buffer.from(aminoSignText(transaction, sequence, chainId, accountNumber)));
}

/** What is signed, as a wallet shows it. @throws EnvelopeError */
export function aminoSignText(
  { fee, memo, messages, timeoutHeight }: Transaction,
  sequence: bigint,
  chainId: string,
  accountNumber: bigint,
): string {
  const granter = fee?.granter ?? "";
  const payer = fee?.payer ?? "";
  const document: Json = {
    account_number: accountNumber.toString(),
    chain_id: chainId,
    fee: {
      amount: (fee?.amount ?? []).map(({ denom, amount }) => ({ denom, amount })),
      gas: (fee?.gasLimit ?? 0n).toString(),
      ...(granter === "" ? {} : { granter }),
      ...(payer === "" ? {} : { payer }),
    },
    memo,
    msgs: messages.map(aminoMessage),
    sequence: sequence.toString(),
    ...(timeoutHeight === 0n ? {} : { timeout_height: timeoutHeight.toString() }),
  };
  // As Go's encoding/json writes them.
  return JSON.stringify(sorted(document))
    .replaceAll("&", "\\u0026")
    .replaceAll("<", "\\u003c")
    .replaceAll(">", "\\u003e");
}

function aminoMessage({ typeUrl, value }: EncodedMessage): Json {
  const codec = Object.hasOwn(codecs, typeUrl) ? codecs[typeUrl] : undefined;
  const converter = converters[typeUrl];
  if (codec === undefined || converter === undefined) {
    throw notSupported(`${typeUrl} has no amino JSON: sign with SIGN_MODE_DIRECT`);
  }
  let json: Json;
  let again: Uint8Array;
  try {
    json = converter.toAmino(codec.decode(value));
    again = codec.encode(converter.fromAmino(json)).finish();
  } catch {
    throw notSupported(`${typeUrl} can't be written as amino JSON: sign with SIGN_MODE_DIRECT`);
  }
  // Nobody may change, after it was signed, what the JSON does not show.
  if (Buffer.compare(again, value) !== 0) {
    throw notSupported(`${typeUrl} is not what its amino JSON says: encode it canonically, without unknown fields`);
  }
  return { type: converter.aminoType, value: json };
}

function sorted(value: Json): Json {
  if (isList(value)) return value.map(sorted);
  if (typeof value !== "object" || value === null) return value;
  const entries = Object.entries(value).flatMap(([name, one]) => (one === undefined ? [] : [[name, sorted(one)]]));
  // By code unit: names are ASCII.
  return Object.fromEntries(entries.sort(([a], [b]) => (String(a) < String(b) ? -1 : 1)));
}

function isList(value: Json): value is readonly Json[] {
  return Array.isArray(value);
}

function notSupported(problem: string): EnvelopeError {
  return new EnvelopeError(EnvelopeErrorCode.NotSupported, problem);
}
