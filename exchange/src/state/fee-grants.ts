import { ExchangeErrorCode } from "@dcx/protocol";
import { AllowedMsgAllowance, BasicAllowance, Grant } from "cosmjs-types/cosmos/feegrant/v1beta1/feegrant";
import type { Any } from "cosmjs-types/google/protobuf/any";
import { encode, isEncodingOf } from "../encode";
import { ExchangeError, invalid } from "./errors";
import { tables, textKey } from "./keys";
import { maxSupply } from "./quantities";
import { getChain, getParameters, Table } from "./records";
import type { KeyValueReader } from "./store";

/** Who pays whose fees. */
export interface FeeGrantId {
  readonly granter: string;
  readonly grantee: string;
}

/** Fee grants, as the feegrant module of the Cosmos SDK keeps and shows them. By grantee first: they are asked for so. */
export const feeGrants = new Table<FeeGrantId, Grant>(
  tables.feeGrant,
  ({ granter, grantee }) => textKey(grantee) + textKey(granter),
  Grant,
);

/** What an allowance allows. */
export interface Allowance {
  /** Micro-units; absent: without a limit. */
  readonly limit: bigint | undefined;
  /** Types of the only messages that it is for; absent: all. */
  readonly messages: readonly string[] | undefined;
}

const basicType = "/cosmos.feegrant.v1beta1.BasicAllowance";
const allowedType = "/cosmos.feegrant.v1beta1.AllowedMsgAllowance";

/**
 * Reads an allowance: a BasicAllowance, or an AllowedMsgAllowance around one. Times are no part of it: this machine
 * reads no clock, so a grant ends when it is spent or revoked.
 * @throws ExchangeError InvalidMessage
 */
export function readAllowance(store: KeyValueReader, allowance: Any | undefined): Allowance {
  if (allowance?.typeUrl !== allowedType) return { limit: readBasic(store, allowance), messages: undefined };
  const outer = decoded(AllowedMsgAllowance, allowance);
  const { maxAttributes, maxTextBytes } = getParameters(store);
  const { allowedMessages } = outer;
  if (allowedMessages.length === 0 || allowedMessages.length > maxAttributes)
    throw invalid("allowance.allowed_messages", `must name 1 to ${maxAttributes} types of messages`);
  if (allowedMessages.some((name) => !/^\/[\x21-\x7e]+$/.test(name) || name.length > maxTextBytes))
    throw invalid(
      "allowance.allowed_messages",
      "must be types of messages such as /dcx.exchange.v1.MsgUpdateDeployment",
    );
  return { limit: readBasic(store, outer.allowance), messages: allowedMessages };
}

/**
 * The grant as it is once a fee has been paid by it; undefined: it is used up.
 * @throws ExchangeError Unauthorized, naming what it does not allow
 */
export function spendGrant(
  store: KeyValueReader,
  grant: Grant,
  amount: bigint,
  messages: readonly string[],
): Grant | undefined {
  const { limit, messages: allowed } = readAllowance(store, grant.allowance);
  const refused = allowed === undefined ? undefined : messages.find((name) => !allowed.includes(name));
  const who = `the fee grant of ${grant.granter} to ${grant.grantee}`;
  if (refused !== undefined) throw new ExchangeError(ExchangeErrorCode.Unauthorized, `${who} is not for ${refused}`);
  if (limit === undefined) return grant;
  const { denomination } = getChain(store);
  if (amount > limit)
    throw new ExchangeError(
      ExchangeErrorCode.Unauthorized,
      `${who} has ${limit}${denomination} left, the fee is ${amount}${denomination}: fee limit exceeded`,
    );
  const left = limit - amount;
  if (left === 0n) return undefined;
  const spendLimit = [{ denom: denomination, amount: left.toString() }];
  const basic = { typeUrl: basicType, value: encode(BasicAllowance, { spendLimit }) };
  if (allowed === undefined) return { ...grant, allowance: basic };
  const value = encode(AllowedMsgAllowance, { allowance: basic, allowedMessages: [...allowed] });
  return { ...grant, allowance: { typeUrl: allowedType, value } };
}

/** The limit of a BasicAllowance. */
function readBasic(store: KeyValueReader, allowance: Any | undefined): bigint | undefined {
  if (allowance?.typeUrl !== basicType)
    throw invalid(
      "allowance",
      `must be a BasicAllowance or an AllowedMsgAllowance around one, not ${JSON.stringify(allowance?.typeUrl ?? "")}`,
    );
  const { spendLimit, expiration } = decoded(BasicAllowance, allowance);
  if (expiration !== undefined)
    throw invalid("allowance.expiration", "is not supported: a grant ends when it is spent or revoked");
  const [coin, ...others] = spendLimit;
  if (coin === undefined) return undefined;
  const { denomination } = getChain(store);
  if (others.length > 0 || coin.denom !== denomination)
    throw invalid("allowance.spend_limit", `must be one amount of ${denomination}`);
  if (!/^[1-9][0-9]{0,18}$/.test(coin.amount) || BigInt(coin.amount) > maxSupply)
    throw invalid("allowance.spend_limit", `must be 1 to ${maxSupply} ${denomination}`);
  return BigInt(coin.amount);
}

interface Codec<Value> {
  encode(message: Value): { finish(): Uint8Array };
  decode(input: Uint8Array): Value;
}

/** In its one encoding, as messages are (ADR-27). */
function decoded<Value>(codec: Codec<Value>, { typeUrl, value }: Any): Value {
  let message: Value;
  try {
    message = codec.decode(value);
  } catch (cause) {
    throw new ExchangeError(ExchangeErrorCode.InvalidMessage, `allowance: no well-formed ${typeUrl}`, { cause });
  }
  if (!isEncodingOf(value, codec, message))
    throw invalid("allowance", `${typeUrl} is not encoded canonically (ADR-27)`);
  return message;
}
