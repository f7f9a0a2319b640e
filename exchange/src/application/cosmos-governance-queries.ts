import { type Proposal, ProposalStatus, type Tally } from "@dcx/protocol";
import {
  Proposal as CosmosProposal,
  ProposalStatus as CosmosStatus,
  Vote as CosmosVote,
  type TallyResult,
} from "cosmjs-types/cosmos/gov/v1beta1/gov";
import {
  QueryProposalRequest,
  QueryProposalResponse,
  QueryProposalsRequest,
  QueryProposalsResponse,
  QueryTallyResultRequest,
  QueryTallyResultResponse,
  QueryVotesRequest,
  QueryVotesResponse,
} from "cosmjs-types/cosmos/gov/v1beta1/query";
import { ParameterChangeProposal } from "cosmjs-types/cosmos/params/v1beta1/params";
import { queryProposals, queryVotes } from "../state/governance-queries";
import { scale } from "../state/quantities";
import type { KeyValueReader } from "../state/store";
import { coinOf, notFound, pageOf, pagination, type QueryHandler } from "./cosmos-answers";

const statuses: readonly (readonly [ProposalStatus, CosmosStatus])[] = [
  [ProposalStatus.VOTING, CosmosStatus.PROPOSAL_STATUS_VOTING_PERIOD],
  [ProposalStatus.PASSED, CosmosStatus.PROPOSAL_STATUS_PASSED],
  [ProposalStatus.REJECTED, CosmosStatus.PROPOSAL_STATUS_REJECTED],
  [ProposalStatus.FAILED, CosmosStatus.PROPOSAL_STATUS_FAILED],
];

/** The gov module's queries (v1beta1), which wallets and explorers ask. Times are 0: a vote ends at a height. */
export const governanceQueries: Readonly<Record<string, QueryHandler>> = {
  "/cosmos.gov.v1beta1.Query/Proposals": (state, request, height) => {
    const { proposalStatus, pagination: asked } = QueryProposalsRequest.decode(request);
    const own = statuses.find(([, cosmos]) => cosmos === proposalStatus)?.[0];
    // A status that no proposal here ever has, such as the deposit period's.
    if (own === undefined && proposalStatus !== CosmosStatus.PROPOSAL_STATUS_UNSPECIFIED)
      return QueryProposalsResponse.encode({ proposals: [], pagination: pagination(undefined) }).finish();
    const status = own ?? ProposalStatus.UNSPECIFIED;
    const { proposals, page } = queryProposals(state, height, { id: 0n, status, page: pageOf(asked) });
    return QueryProposalsResponse.encode({
      proposals: proposals.map((one) => describe(state, one)),
      pagination: pagination(page),
    }).finish();
  },
  "/cosmos.gov.v1beta1.Query/Proposal": (state, request, height) => {
    const { proposalId } = QueryProposalRequest.decode(request);
    return QueryProposalResponse.encode({ proposal: describe(state, proposalAt(state, height, proposalId)) }).finish();
  },
  "/cosmos.gov.v1beta1.Query/TallyResult": (state, request, height) => {
    const { proposalId } = QueryTallyResultRequest.decode(request);
    return QueryTallyResultResponse.encode({
      tally: tallyResult(proposalAt(state, height, proposalId).tally),
    }).finish();
  },
  "/cosmos.gov.v1beta1.Query/Votes": (state, request, height) => {
    const { proposalId, pagination: asked } = QueryVotesRequest.decode(request);
    const { votes, page } = queryVotes(state, height, { proposal: proposalId, page: pageOf(asked) });
    return QueryVotesResponse.encode({
      votes: votes.map(({ proposal, voter, option }) =>
        CosmosVote.fromPartial({
          proposalId: proposal,
          voter,
          option: Number(option),
          options: [{ option: Number(option), weight: scale.toString() }],
        }),
      ),
      pagination: pagination(page),
    }).finish();
  },
};

function proposalAt(state: KeyValueReader, height: bigint, id: bigint): Proposal {
  const [found] = id === 0n ? [] : queryProposals(state, height, { id, status: 0, page: undefined }).proposals;
  if (found === undefined) throw notFound(`proposal ${id} doesn't exist`);
  return found;
}

function describe(state: KeyValueReader, proposal: Proposal): CosmosProposal {
  const { id, title, description, changes, status, tally, deposit } = proposal;
  const content = ParameterChangeProposal.fromPartial({
    title,
    description,
    changes: changes.map(({ name, value }) => ({ subspace: "exchange", key: name, value })),
  });
  return CosmosProposal.fromPartial({
    proposalId: id,
    content: {
      typeUrl: "/cosmos.params.v1beta1.ParameterChangeProposal",
      value: ParameterChangeProposal.encode(content).finish(),
    },
    status: statuses.find(([own]) => own === status)?.[1] ?? CosmosStatus.UNRECOGNIZED,
    finalTallyResult: tallyResult(tally),
    totalDeposit: [coinOf(state, deposit)],
  });
}

function tallyResult(tally: Tally | undefined): TallyResult {
  return {
    yes: (tally?.yes ?? 0n).toString(),
    abstain: (tally?.abstain ?? 0n).toString(),
    no: (tally?.no ?? 0n).toString(),
    noWithVeto: (tally?.veto ?? 0n).toString(),
  };
}
