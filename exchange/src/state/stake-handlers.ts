import {
  MsgWithdrawDelegatorReward,
  MsgWithdrawDelegatorRewardResponse,
  MsgWithdrawValidatorCommission,
  MsgWithdrawValidatorCommissionResponse,
} from "cosmjs-types/cosmos/distribution/v1beta1/tx";
import {
  MsgSubmitProposal,
  MsgSubmitProposalResponse,
  MsgVote,
  MsgVoteResponse,
} from "cosmjs-types/cosmos/gov/v1beta1/tx";
import { MsgUnjail, MsgUnjailResponse } from "cosmjs-types/cosmos/slashing/v1beta1/tx";
import {
  MsgBeginRedelegate,
  MsgBeginRedelegateResponse,
  MsgCreateValidator,
  MsgCreateValidatorResponse,
  MsgDelegate,
  MsgDelegateResponse,
  MsgEditValidator,
  MsgEditValidatorResponse,
  MsgUndelegate,
  MsgUndelegateResponse,
} from "cosmjs-types/cosmos/staking/v1beta1/tx";
import { type Handler, handler } from "./handler";
import { accountOfOperator } from "./operators";
import { beginRedelegate } from "./transitions/begin-redelegate";
import { createValidator } from "./transitions/create-validator";
import { delegate } from "./transitions/delegate";
import { editValidator } from "./transitions/edit-validator";
import { submitProposal } from "./transitions/submit-proposal";
import { undelegate } from "./transitions/undelegate";
import { unjail } from "./transitions/unjail";
import { vote } from "./transitions/vote";
import { withdrawDelegatorReward } from "./transitions/withdraw-delegator-reward";
import { withdrawValidatorCommission } from "./transitions/withdraw-validator-commission";

/** Messages about stake, and about what is voted on with it: those of the Cosmos SDK, so that wallets can send them. An operator signs as its account. */
export const stakeHandlers: readonly (readonly [typeUrl: string, handler: Handler])[] = [
  [
    "/cosmos.staking.v1beta1.MsgCreateValidator",
    handler({
      origin: "transaction",
      gas: 5_000n,
      request: MsgCreateValidator,
      response: MsgCreateValidatorResponse,
      signer: (message) => accountOfOperator(message.validatorAddress, "validator_address"),
      transition: createValidator,
    }),
  ],
  [
    "/cosmos.staking.v1beta1.MsgEditValidator",
    handler({
      origin: "transaction",
      gas: 2_000n,
      request: MsgEditValidator,
      response: MsgEditValidatorResponse,
      signer: (message) => accountOfOperator(message.validatorAddress, "validator_address"),
      transition: editValidator,
    }),
  ],
  [
    "/cosmos.staking.v1beta1.MsgDelegate",
    handler({
      origin: "transaction",
      gas: 2_000n,
      request: MsgDelegate,
      response: MsgDelegateResponse,
      signer: (message) => message.delegatorAddress,
      transition: delegate,
    }),
  ],
  [
    "/cosmos.staking.v1beta1.MsgUndelegate",
    handler({
      origin: "transaction",
      gas: 2_000n,
      request: MsgUndelegate,
      response: MsgUndelegateResponse,
      signer: (message) => message.delegatorAddress,
      transition: undelegate,
    }),
  ],
  [
    "/cosmos.staking.v1beta1.MsgBeginRedelegate",
    handler({
      origin: "transaction",
      gas: 2_000n,
      request: MsgBeginRedelegate,
      response: MsgBeginRedelegateResponse,
      signer: (message) => message.delegatorAddress,
      transition: beginRedelegate,
    }),
  ],
  [
    "/cosmos.gov.v1beta1.MsgSubmitProposal",
    handler({
      origin: "transaction",
      gas: 5_000n,
      request: MsgSubmitProposal,
      response: MsgSubmitProposalResponse,
      signer: (message) => message.proposer,
      transition: submitProposal,
    }),
  ],
  [
    "/cosmos.gov.v1beta1.MsgVote",
    handler({
      origin: "transaction",
      gas: 1_000n,
      request: MsgVote,
      response: MsgVoteResponse,
      signer: (message) => message.voter,
      transition: vote,
    }),
  ],
  [
    "/cosmos.slashing.v1beta1.MsgUnjail",
    handler({
      origin: "transaction",
      gas: 2_000n,
      request: MsgUnjail,
      response: MsgUnjailResponse,
      signer: (message) => accountOfOperator(message.validatorAddr, "validator_addr"),
      transition: unjail,
    }),
  ],
  [
    "/cosmos.distribution.v1beta1.MsgWithdrawDelegatorReward",
    handler({
      origin: "transaction",
      gas: 1_000n,
      request: MsgWithdrawDelegatorReward,
      response: MsgWithdrawDelegatorRewardResponse,
      signer: (message) => message.delegatorAddress,
      transition: withdrawDelegatorReward,
    }),
  ],
  [
    "/cosmos.distribution.v1beta1.MsgWithdrawValidatorCommission",
    handler({
      origin: "transaction",
      gas: 1_000n,
      request: MsgWithdrawValidatorCommission,
      response: MsgWithdrawValidatorCommissionResponse,
      signer: (message) => accountOfOperator(message.validatorAddress, "validator_address"),
      transition: withdrawValidatorCommission,
    }),
  ],
];
