import type { Proposal } from "@dcx/protocol";
import {
  MsgWithdrawDelegatorReward,
  MsgWithdrawDelegatorRewardResponse,
  MsgWithdrawValidatorCommission,
  MsgWithdrawValidatorCommissionResponse,
} from "cosmjs-types/cosmos/distribution/v1beta1/tx";
import { VoteOption } from "cosmjs-types/cosmos/gov/v1beta1/gov";
import {
  MsgSubmitProposal,
  MsgSubmitProposalResponse,
  MsgVote,
  MsgVoteResponse,
} from "cosmjs-types/cosmos/gov/v1beta1/tx";
import { ParameterChangeProposal } from "cosmjs-types/cosmos/params/v1beta1/params";
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
import { wrapConsensusKey } from "../../consensus-key";
import { delegations, worthOf } from "../delegations";
import { operatorAddressOf } from "../operators";
import { proposals } from "../proposals";
import { scale } from "../quantities";
import { rewardsNow, rewardsOf } from "../rewards";
import { validators } from "../validators";

export { VoteOption };

import { addressOf, consensusKeyOf } from "./names";
import type { World } from "./world";

const kinds = {
  createValidator: {
    typeUrl: "/cosmos.staking.v1beta1.MsgCreateValidator",
    request: MsgCreateValidator,
    response: MsgCreateValidatorResponse,
  },
  editValidator: {
    typeUrl: "/cosmos.staking.v1beta1.MsgEditValidator",
    request: MsgEditValidator,
    response: MsgEditValidatorResponse,
  },
  delegate: { typeUrl: "/cosmos.staking.v1beta1.MsgDelegate", request: MsgDelegate, response: MsgDelegateResponse },
  undelegate: {
    typeUrl: "/cosmos.staking.v1beta1.MsgUndelegate",
    request: MsgUndelegate,
    response: MsgUndelegateResponse,
  },
  redelegate: {
    typeUrl: "/cosmos.staking.v1beta1.MsgBeginRedelegate",
    request: MsgBeginRedelegate,
    response: MsgBeginRedelegateResponse,
  },
  unjail: { typeUrl: "/cosmos.slashing.v1beta1.MsgUnjail", request: MsgUnjail, response: MsgUnjailResponse },
  withdraw: {
    typeUrl: "/cosmos.distribution.v1beta1.MsgWithdrawDelegatorReward",
    request: MsgWithdrawDelegatorReward,
    response: MsgWithdrawDelegatorRewardResponse,
  },
  withdrawCommission: {
    typeUrl: "/cosmos.distribution.v1beta1.MsgWithdrawValidatorCommission",
    request: MsgWithdrawValidatorCommission,
    response: MsgWithdrawValidatorCommissionResponse,
  },
};

const governanceKinds = {
  propose: {
    typeUrl: "/cosmos.gov.v1beta1.MsgSubmitProposal",
    request: MsgSubmitProposal,
    response: MsgSubmitProposalResponse,
  },
  vote: { typeUrl: "/cosmos.gov.v1beta1.MsgVote", request: MsgVote, response: MsgVoteResponse },
};

const coin = (amount: bigint) => ({ denom: "udcx", amount: amount.toString() });
const description = (moniker: string) => ({ moniker, identity: "", website: "", securityContact: "", details: "" });

/** The address of the validator that whoever has that name runs. */
export function operatorOf(name: string): string {
  return operatorAddressOf(addressOf(name));
}

export interface Bond {
  readonly amount: bigint;
  /** In hundredths. */
  readonly commission?: bigint;
  readonly least?: bigint;
  /** Whose key it is; its own where it is left out. */
  readonly keyOf?: string;
}

/** What is done with stake in a world. */
export class Staking {
  constructor(private readonly world: World) {}

  bond(name: string, { amount, commission = 10n, least = 1n, keyOf = name }: Bond): void {
    const share = (hundredths: bigint) => ((hundredths * scale) / 100n).toString();
    this.world.run(kinds.createValidator, {
      description: description(name),
      commission: { rate: share(commission), maxRate: share(50n), maxChangeRate: share(5n) },
      minSelfDelegation: least.toString(),
      delegatorAddress: "",
      validatorAddress: operatorOf(name),
      pubkey: wrapConsensusKey(consensusKeyOf(keyOf)),
      value: coin(amount),
    });
  }

  /** @param commission in hundredths */
  edit(name: string, commission: bigint): void {
    this.world.run(kinds.editValidator, {
      description: description("[do-not-modify]"),
      validatorAddress: operatorOf(name),
      commissionRate: ((commission * scale) / 100n).toString(),
      minSelfDelegation: "",
    });
  }

  delegate(delegator: string, validator: string, amount: bigint): void {
    const addresses = { delegatorAddress: addressOf(delegator), validatorAddress: operatorOf(validator) };
    this.world.run(kinds.delegate, { ...addresses, amount: coin(amount) });
  }

  undelegate(delegator: string, validator: string, amount: bigint): void {
    const addresses = { delegatorAddress: addressOf(delegator), validatorAddress: operatorOf(validator) };
    this.world.run(kinds.undelegate, { ...addresses, amount: coin(amount) });
  }

  redelegate(delegator: string, from: string, to: string, amount: bigint): void {
    this.world.run(kinds.redelegate, {
      delegatorAddress: addressOf(delegator),
      validatorSrcAddress: operatorOf(from),
      validatorDstAddress: operatorOf(to),
      amount: coin(amount),
    });
  }

  unjail(name: string): void {
    this.world.run(kinds.unjail, { validatorAddr: operatorOf(name) });
  }

  withdraw(delegator: string, validator: string): void {
    const addresses = { delegatorAddress: addressOf(delegator), validatorAddress: operatorOf(validator) };
    this.world.run(kinds.withdraw, addresses);
  }

  withdrawCommission(name: string): void {
    this.world.run(kinds.withdrawCommission, { validatorAddress: operatorOf(name) });
  }

  /** @returns its id */
  propose(name: string, changes: Readonly<Record<string, string>>, deposit = 100n): bigint {
    const content = ParameterChangeProposal.fromPartial({
      title: "a change",
      description: "for the better",
      changes: Object.entries(changes).map(([key, value]) => ({ subspace: "exchange", key, value })),
    });
    const { proposalId } = this.world.run(governanceKinds.propose, {
      content: {
        typeUrl: "/cosmos.params.v1beta1.ParameterChangeProposal",
        value: ParameterChangeProposal.encode(content).finish(),
      },
      initialDeposit: [coin(deposit)],
      proposer: addressOf(name),
    });
    return proposalId;
  }

  vote(name: string, proposalId: bigint, option: VoteOption): void {
    this.world.run(governanceKinds.vote, { proposalId, voter: addressOf(name), option });
  }

  proposal(id: bigint): Proposal | undefined {
    return proposals.get(this.world.state, id);
  }

  validator(name: string) {
    return validators.get(this.world.state, addressOf(name));
  }

  /** Names are told apart by the caller: power of each in the set. */
  powers(...names: readonly string[]): readonly (bigint | undefined)[] {
    return names.map((name) => this.validator(name)?.power);
  }

  /** Micro-units of a delegator with a validator; 0: none. */
  stake(delegator: string, validator: string): bigint {
    const found = delegations.get(this.world.state, {
      delegator: addressOf(delegator),
      validator: addressOf(validator),
    });
    return found === undefined ? 0n : worthOf(this.world.state, found);
  }

  /** Micro-units that a delegator could withdraw. */
  rewards(delegator: string, validator: string): bigint {
    const found = delegations.get(this.world.state, {
      delegator: addressOf(delegator),
      validator: addressOf(validator),
    });
    const record = this.validator(validator);
    if (found === undefined || record === undefined) return 0n;
    return rewardsOf(found, rewardsNow(this.world.state, record));
  }
}
