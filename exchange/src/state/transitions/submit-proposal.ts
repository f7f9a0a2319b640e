import { ExchangeErrorCode, type ParameterChange } from "@dcx/protocol";
import type { MsgSubmitProposal, MsgSubmitProposalResponse } from "cosmjs-types/cosmos/gov/v1beta1/tx";
import { ParameterChangeProposal } from "cosmjs-types/cosmos/params/v1beta1/params";
import type { Any } from "cosmjs-types/google/protobuf/any";
import { isEncodingOf } from "../../encode";
import { debit } from "../accounts";
import { tokensOf } from "../coins";
import type { TransactionContext } from "../context";
import { ExchangeError, invalid } from "../errors";
import { proposalChanged } from "../events";
import { changedParameters } from "../parameter-changes";
import { enterProposal, governanceParameters } from "../proposals";
import type { KeyValueStore } from "../store";
import { adjustTotals } from "../totals";
import { checkAddress } from "../validation";

const contentType = "/cosmos.params.v1beta1.ParameterChangeProposal";
/** The only subspace that there is: all parameters are the exchange's. */
const subspace = "exchange";
const mostTitleBytes = 140;
const mostDescriptionBytes = 5_000;

/**
 * Asks for a change of parameters, and opens the vote on it: the gov module's message around the params module's
 * proposal. The whole deposit comes with it. What no chain could run with is refused here already.
 *
 * @throws ExchangeError NotOffered, InvalidAddress, InvalidMessage, InsufficientFunds, LimitExceeded
 *
 * PERF: O(parameters).
 */
export function submitProposal(
  state: KeyValueStore,
  context: TransactionContext,
  message: MsgSubmitProposal,
): MsgSubmitProposalResponse {
  const parameters = governanceParameters(state);
  checkAddress(state, message.proposer, "proposer");
  const { title, description, changes } = readContent(message.content);
  checkLength(title, mostTitleBytes, "title");
  checkLength(description, mostDescriptionBytes, "description");
  if (changes.length === 0) throw invalid("content.changes", "must not be empty: what is it to change?");
  changedParameters(parameters, changes);
  const [coin, ...others] = message.initialDeposit;
  if (others.length > 0) throw invalid("initial_deposit", "must be one coin");
  const deposit = tokensOf(state, coin, "initial_deposit");
  if (deposit < parameters.proposalDeposit)
    throw new ExchangeError(
      ExchangeErrorCode.InsufficientFunds,
      `initial_deposit: ${deposit} micro-units, a proposal takes ${parameters.proposalDeposit}`,
    );
  debit(state, message.proposer, deposit, "the deposit");
  adjustTotals(state, { balances: -deposit });
  const id = enterProposal(state, context, { proposer: message.proposer, title, description, changes, deposit });
  context.events.emit(proposalChanged("submit_proposal", { proposal_id: id.toString(), proposer: message.proposer }));
  return { proposalId: id };
}

interface Content {
  readonly title: string;
  readonly description: string;
  readonly changes: ParameterChange[];
}

function readContent(content: Any | undefined): Content {
  if (content?.typeUrl !== contentType) throw invalid("content", `must be a ${contentType}: nothing else is voted on`);
  let read: ParameterChangeProposal;
  try {
    read = ParameterChangeProposal.decode(content.value);
  } catch (cause) {
    throw new ExchangeError(ExchangeErrorCode.InvalidMessage, "content: is not well-formed", { cause });
  }
  if (!isEncodingOf(content.value, ParameterChangeProposal, read))
    throw invalid("content", "has fields that this exchange does not know, or is not encoded canonically (ADR-27)");
  const changes = read.changes.map((change) => {
    if (change.subspace !== subspace) throw invalid("content.changes.subspace", `must be "${subspace}"`);
    // As JSON, which the params module has there: a number, or a text of one.
    return { name: change.key, value: change.value.replace(/^"(.*)"$/, "$1") };
  });
  return { title: read.title, description: read.description, changes };
}

function checkLength(text: string, most: number, field: string): void {
  if (text === "" || Buffer.byteLength(text) > most) throw invalid(`content.${field}`, `must be 1 to ${most} bytes`);
}
