import {
  ExchangeErrorCode,
  GovernanceRecord,
  type Parameters,
  Proposal,
  ProposalStatus,
  type Tally,
  TimerKind,
  Vote,
} from "@dcx/protocol";
import { credit } from "./accounts";
import type { TransitionContext } from "./context";
import { ExchangeError } from "./errors";
import { parametersChanged, proposalChanged } from "./events";
import { keyBytes, prefixEnd, tables, textKey, uint64Key } from "./keys";
import { applyChanges } from "./parameter-changes";
import { getParameters, Table } from "./records";
import type { KeyValueReader, KeyValueStore } from "./store";
import { bondedStake, tallyOf } from "./tally";
import { numberedTimer, setTimer, type Timer } from "./timers";
import { adjustTotals } from "./totals";

const governanceTable = new Table<void, GovernanceRecord>(tables.governance, () => "", GovernanceRecord);
export const proposals = new Table<bigint, Proposal>(tables.proposal, uint64Key, Proposal);

export interface VoteId {
  readonly proposal: bigint;
  readonly voter: string;
}

export const votes = new Table<VoteId, Vote>(
  tables.vote,
  ({ proposal, voter }) => uint64Key(proposal) + textKey(voter),
  Vote,
);

/** Most proposals that are voted on at a time, so that a block's end never has many to count. */
const mostVoting = 16;

/** @throws ExchangeError NotOffered where nothing is voted on */
export function governanceParameters(store: KeyValueReader): Parameters {
  const parameters = getParameters(store);
  if (parameters.votingPeriod === 0n)
    throw new ExchangeError(
      ExchangeErrorCode.NotOffered,
      "this exchange votes on nothing: its parameter votingPeriod is 0",
    );
  return parameters;
}

function governance(store: KeyValueReader): GovernanceRecord {
  return governanceTable.get(store, undefined) ?? { nextProposal: 1n, voting: 0 };
}

/** @throws ExchangeError ProposalNotFound, ProposalNotOpen */
export function findOpenProposal(store: KeyValueReader, id: bigint): Proposal {
  const proposal = proposals.get(store, id);
  if (proposal === undefined)
    throw new ExchangeError(
      ExchangeErrorCode.ProposalNotFound,
      `no proposal ${id}: it never was, or it was decided and pruned`,
    );
  if (proposal.status !== ProposalStatus.VOTING)
    throw new ExchangeError(ExchangeErrorCode.ProposalNotOpen, `the vote on proposal ${id} is over`);
  return proposal;
}

/** Opens the vote. @throws ExchangeError LimitExceeded */
export function enterProposal(
  store: KeyValueStore,
  context: TransitionContext,
  fields: Pick<Proposal, "proposer" | "title" | "description" | "changes" | "deposit">,
): bigint {
  const { nextProposal: id, voting } = governance(store);
  if (voting >= mostVoting)
    throw new ExchangeError(
      ExchangeErrorCode.LimitExceeded,
      `${voting} proposals are voted on already: wait until one of them is decided`,
    );
  governanceTable.put(store, undefined, { nextProposal: id + 1n, voting: voting + 1 });
  const endHeight = context.height + governanceParameters(store).votingPeriod;
  const status = ProposalStatus.VOTING;
  proposals.put(store, id, { id, ...fields, height: context.height, endHeight, status, tally: undefined, failure: "" });
  store.set(tables.proposalEnd + uint64Key(endHeight) + uint64Key(id), keyBytes(uint64Key(id)));
  adjustTotals(store, { proposalDeposits: fields.deposit });
  return id;
}

/**
 * Decides the proposals whose vote ends with this block, the earlier first.
 *
 * PERF: one range where there are none; else O(votes and their delegations, and the validator set) each.
 */
export function decideProposals(store: KeyValueStore, context: TransitionContext): void {
  const due = [...store.range(tables.proposalEnd, tables.proposalEnd + uint64Key(context.height + 1n))];
  for (const [key] of due) {
    store.delete(key);
    decide(store, context, proposals.need(store, readId(key)));
  }
}

function readId(key: string): bigint {
  let id = 0n;
  for (let index = key.length - 8; index < key.length; index += 1) id = (id << 8n) | BigInt(key.charCodeAt(index));
  return id;
}

/** What a tally leads to: whether the proposal passes, and whether its deposit is burnt. */
export function outcomeOf(
  parameters: Parameters,
  tally: Tally,
  bonded: bigint,
): { readonly passes: boolean; readonly burns: boolean } {
  const all = tally.yes + tally.abstain + tally.no + tally.veto;
  if (all === 0n || all * 1000n < bonded * BigInt(parameters.quorum)) return { passes: false, burns: true };
  if (tally.veto * 1000n >= all * BigInt(parameters.veto)) return { passes: false, burns: true };
  return { passes: tally.yes * 1000n > (all - tally.abstain) * BigInt(parameters.threshold), burns: false };
}

function decide(store: KeyValueStore, context: TransitionContext, proposal: Proposal): void {
  const { id, deposit, proposer, changes } = proposal;
  const parameters = getParameters(store);
  const tally = tallyOf(store, votesOn(store, id));
  const { passes, burns } = outcomeOf(parameters, tally, bondedStake(store));
  let status = passes ? ProposalStatus.PASSED : ProposalStatus.REJECTED;
  let failure = "";
  if (passes)
    try {
      applyChanges(store, context.height, changes);
      context.events.emit(parametersChanged(id));
    } catch (error) {
      if (!(error instanceof ExchangeError)) throw error;
      status = ProposalStatus.FAILED;
      failure = error.message;
    }
  for (const { voter } of votesOn(store, id)) votes.delete(store, { proposal: id, voter });
  if (burns) adjustTotals(store, { proposalDeposits: -deposit, burnt: deposit });
  else {
    credit(store, proposer, deposit);
    adjustTotals(store, { proposalDeposits: -deposit, balances: deposit });
  }
  proposals.put(store, id, { ...proposal, status, tally, failure });
  const now = governance(store);
  governanceTable.put(store, undefined, { ...now, voting: now.voting - 1 });
  setTimer(store, context.height + parameters.closedRetention, numberedTimer(TimerKind.PRUNE_PROPOSAL, proposer, id));
  const result = status === ProposalStatus.PASSED ? "passed" : passes ? "failed" : burns ? "burned" : "rejected";
  context.events.emit(
    proposalChanged("active_proposal", { proposal_id: id.toString(), proposal_result: `proposal_${result}` }),
  );
}

/** A decided proposal goes. */
export function pruneProposal(store: KeyValueStore, { subject }: Timer): void {
  proposals.delete(store, subject.sequence);
}

/** The votes on a proposal that is not decided yet. */
export function votesOn(store: KeyValueReader, id: bigint): Vote[] {
  const prefix = tables.vote + uint64Key(id);
  return [...store.range(prefix, prefixEnd(prefix))].map(([, bytes]) => Vote.decode(bytes));
}
