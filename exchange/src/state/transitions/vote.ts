import { ExchangeErrorCode, VoteOption } from "@dcx/protocol";
import type { MsgVote, MsgVoteResponse } from "cosmjs-types/cosmos/gov/v1beta1/tx";
import type { TransactionContext } from "../context";
import { ExchangeError, invalid } from "../errors";
import { proposalChanged } from "../events";
import { prefixEnd, tables, textKey } from "../keys";
import { findOpenProposal, votes } from "../proposals";
import type { KeyValueStore } from "../store";
import { checkAddress } from "../validation";

const options: readonly VoteOption[] = [VoteOption.YES, VoteOption.ABSTAIN, VoteOption.NO, VoteOption.NO_WITH_VETO];

/**
 * Votes with whatever the account has staked when the vote ends, in place of its validators and of what it said before:
 * the gov module's message. The numbers of the options are that module's.
 *
 * @throws ExchangeError InvalidAddress, InvalidMessage, ProposalNotFound, ProposalNotOpen, Unauthorized for an account
 *   without stake
 *
 * PERF: O(1).
 */
export function vote(state: KeyValueStore, context: TransactionContext, message: MsgVote): MsgVoteResponse {
  checkAddress(state, message.voter, "voter");
  const option = options.find((one) => Number(one) === Number(message.option));
  if (option === undefined) throw invalid("option", "must be yes, abstain, no, or no with veto");
  const { id } = findOpenProposal(state, message.proposalId);
  const own = tables.delegation + textKey(message.voter);
  if ([...state.range(own, prefixEnd(own), { limit: 1 })].length === 0)
    throw new ExchangeError(
      ExchangeErrorCode.Unauthorized,
      `${message.voter} has nothing staked with a validator, and stake is what votes`,
    );
  votes.put(state, { proposal: id, voter: message.voter }, { proposal: id, voter: message.voter, option });
  context.events.emit(
    proposalChanged("proposal_vote", { proposal_id: id.toString(), voter: message.voter, option: `${option}` }),
  );
  return {};
}
