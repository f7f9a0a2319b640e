import {
  Proposal,
  ProposalStatus,
  type QueryProposalsRequest,
  type QueryProposalsResponse,
  type QueryVotesRequest,
  type QueryVotesResponse,
  Vote,
} from "@dcx/protocol";
import { tables, uint64Key } from "./keys";
import { paginate } from "./pages";
import { proposals, votesOn } from "./proposals";
import type { KeyValueReader } from "./store";
import { tallyOf } from "./tally";

/** The queries about proposals, one function each, over a committed state and its height. */

/** With the tally as it would be if the vote ended now. */
function counted(store: KeyValueReader, proposal: Proposal): Proposal {
  if (proposal.status !== ProposalStatus.VOTING) return proposal;
  return { ...proposal, tally: tallyOf(store, votesOn(store, proposal.id)) };
}

export function queryProposals(
  store: KeyValueReader,
  height: bigint,
  request: QueryProposalsRequest,
): QueryProposalsResponse {
  if (request.id !== 0n) {
    const found = proposals.get(store, request.id);
    const listed = found === undefined ? [] : [counted(store, found)];
    return { proposals: listed, page: { nextKey: new Uint8Array(0) }, height };
  }
  const { items, page } = paginate(store, tables.proposal, request.page, (_key, value) => {
    const proposal = Proposal.decode(value);
    const fits = request.status === ProposalStatus.UNSPECIFIED || request.status === proposal.status;
    return fits ? counted(store, proposal) : undefined;
  });
  return { proposals: items, page, height };
}

export function queryVotes(store: KeyValueReader, height: bigint, request: QueryVotesRequest): QueryVotesResponse {
  const { items, page } = paginate(store, tables.vote + uint64Key(request.proposal), request.page, (_key, value) =>
    Vote.decode(value),
  );
  return { votes: items, page, height };
}
