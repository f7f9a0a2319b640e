import type { MsgSubmitProposal, MsgVote } from "cosmjs-types/cosmos/gov/v1beta1/tx";
import type { ParameterChange, VoteOption } from "../generated/dcx/exchange/v1/governance";
import { type Message, typeUrls } from "./messages";

export interface NewProposal {
  readonly proposer: string;
  readonly title: string;
  readonly description: string;
  readonly changes: readonly ParameterChange[];
  /** Micro-units. */
  readonly deposit: bigint;
}

/** The message that asks for a change of parameters: the gov module's, around the params module's proposal. */
export async function proposalMessage(
  { proposer, title, description, changes, deposit }: NewProposal,
  denomination: string,
): Promise<Message<MsgSubmitProposal>> {
  const { ParameterChangeProposal } = await import("cosmjs-types/cosmos/params/v1beta1/params");
  const content = ParameterChangeProposal.fromPartial({
    title,
    description,
    changes: changes.map(({ name, value }) => ({ subspace: "exchange", key: name, value })),
  });
  return {
    typeUrl: typeUrls.submitProposal,
    value: {
      content: {
        typeUrl: "/cosmos.params.v1beta1.ParameterChangeProposal",
        value: ParameterChangeProposal.encode(content).finish(),
      },
      initialDeposit: [{ denom: denomination, amount: deposit.toString() }],
      proposer,
    },
  };
}

/** Votes with all that the account has staked. The numbers of the options are the gov module's. */
export function voteMessage(voter: string, proposalId: bigint, option: VoteOption): Message<MsgVote> {
  return { typeUrl: typeUrls.vote, value: { proposalId, voter, option: Number(option) } };
}
