import { fromBech32, toBech32 } from "@cosmjs/encoding";
import type {
  MsgWithdrawDelegatorReward,
  MsgWithdrawValidatorCommission,
} from "cosmjs-types/cosmos/distribution/v1beta1/tx";
import type { MsgUnjail } from "cosmjs-types/cosmos/slashing/v1beta1/tx";
import type {
  MsgBeginRedelegate,
  MsgCreateValidator,
  MsgDelegate,
  MsgEditValidator,
  MsgUndelegate,
} from "cosmjs-types/cosmos/staking/v1beta1/tx";
import { type Message, typeUrls } from "./messages";

/** What the prefix of a validator's address has beside that of accounts. */
const operatorSuffix = "valoper";
/** What an edit says of a part of the description that stays as it is. */
const unchanged = "[do-not-modify]";

/** The address by which messages name the validator that an account runs: the same bytes under another prefix. */
export function operatorAddress(account: string): string {
  const { prefix, data } = fromBech32(account, 200);
  return prefix.endsWith(operatorSuffix) ? account : toBech32(prefix + operatorSuffix, data);
}

/** The account that runs a validator, by either address. */
export function operatorAccount(validator: string): string {
  const { prefix, data } = fromBech32(validator, 200);
  return prefix.endsWith(operatorSuffix) ? toBech32(prefix.slice(0, -operatorSuffix.length), data) : validator;
}

export interface NewValidator {
  /** The account that runs it, and signs. */
  readonly operator: string;
  /** ed25519, 32 bytes: what `dcx node init` prints. */
  readonly consensusKey: Uint8Array;
  readonly moniker: string;
  readonly website?: string;
  readonly details?: string;
  /** Shares of the fees, scaled by 10^18. */
  readonly commission: { readonly rate: bigint; readonly maxRate: bigint; readonly maxChange: bigint };
  /** Micro-units. */
  readonly stake: bigint;
  /** Micro-units that the operator promises to keep staked. */
  readonly minSelfDelegation: bigint;
}

/** The message with which an account begins to validate: the staking module's. */
export async function createValidatorMessage(
  validator: NewValidator,
  denomination: string,
): Promise<Message<MsgCreateValidator>> {
  const { PubKey } = await import("cosmjs-types/cosmos/crypto/ed25519/keys");
  const { moniker, website = "", details = "", commission, consensusKey } = validator;
  return {
    typeUrl: typeUrls.createValidator,
    value: {
      description: { moniker, identity: "", website, securityContact: "", details },
      commission: {
        rate: commission.rate.toString(),
        maxRate: commission.maxRate.toString(),
        maxChangeRate: commission.maxChange.toString(),
      },
      minSelfDelegation: validator.minSelfDelegation.toString(),
      delegatorAddress: "",
      validatorAddress: operatorAddress(validator.operator),
      pubkey: {
        typeUrl: "/cosmos.crypto.ed25519.PubKey",
        value: PubKey.encode({ key: consensusKey }).finish(),
      },
      value: { denom: denomination, amount: validator.stake.toString() },
    },
  };
}

/** What is left out stays as it is. `commission`: a share, scaled by 10^18. */
export function editValidatorMessage(
  operator: string,
  changes: {
    readonly moniker?: string | undefined;
    readonly website?: string | undefined;
    readonly details?: string | undefined;
    readonly commission?: bigint | undefined;
  },
): Message<MsgEditValidator> {
  const { moniker = unchanged, website = unchanged, details = unchanged, commission } = changes;
  return {
    typeUrl: typeUrls.editValidator,
    value: {
      description: { moniker, identity: unchanged, website, securityContact: unchanged, details },
      validatorAddress: operatorAddress(operator),
      commissionRate: commission?.toString() ?? "",
      minSelfDelegation: "",
    },
  };
}

/** Messages about stake with a validator, which either of its addresses names; amounts in micro-units. */
export const stakeMessages = {
  delegate: (delegator: string, validator: string, amount: bigint, denomination: string): Message<MsgDelegate> => ({
    typeUrl: typeUrls.delegate,
    value: stakeOf(delegator, validator, amount, denomination),
  }),
  undelegate: (delegator: string, validator: string, amount: bigint, denomination: string): Message<MsgUndelegate> => ({
    typeUrl: typeUrls.undelegate,
    value: stakeOf(delegator, validator, amount, denomination),
  }),
  redelegate: (
    delegator: string,
    from: string,
    to: string,
    amount: bigint,
    denomination: string,
  ): Message<MsgBeginRedelegate> => ({
    typeUrl: typeUrls.redelegate,
    value: {
      delegatorAddress: delegator,
      validatorSrcAddress: operatorAddress(from),
      validatorDstAddress: operatorAddress(to),
      amount: { denom: denomination, amount: amount.toString() },
    },
  }),
  unjail: (operator: string): Message<MsgUnjail> => ({
    typeUrl: typeUrls.unjail,
    value: { validatorAddr: operatorAddress(operator) },
  }),
  withdrawRewards: (delegator: string, validator: string): Message<MsgWithdrawDelegatorReward> => ({
    typeUrl: typeUrls.withdrawRewards,
    value: { delegatorAddress: delegator, validatorAddress: operatorAddress(validator) },
  }),
  withdrawCommission: (operator: string): Message<MsgWithdrawValidatorCommission> => ({
    typeUrl: typeUrls.withdrawCommission,
    value: { validatorAddress: operatorAddress(operator) },
  }),
} as const;

function stakeOf(delegator: string, validator: string, amount: bigint, denomination: string) {
  return {
    delegatorAddress: delegator,
    validatorAddress: operatorAddress(validator),
    amount: { denom: denomination, amount: amount.toString() },
  };
}
