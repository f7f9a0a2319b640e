import { Genesis, type Parameters } from "@dcx/protocol";
import {
  ExecTxResult,
  ResponseProcessProposal_ProposalStatus as ProposalStatus,
  type RequestCheckTx,
  type RequestFinalizeBlock,
  type RequestInfo,
  type RequestInitChain,
  type RequestPrepareProposal,
  type RequestProcessProposal,
  type RequestQuery,
  type ResponseCheckTx,
  type ResponseCommit,
  ResponseFinalizeBlock,
  type ResponseInfo,
  ResponseInitChain,
  ResponsePrepareProposal,
  ResponseProcessProposal,
  type ResponseQuery,
} from "cosmjs-types/tendermint/abci/types";
import { ConsensusParams } from "cosmjs-types/tendermint/types/params";
import { collectFees } from "../state/accounts";
import { Branch } from "../state/branch";
import { getChain, getParameters } from "../state/records";
import { getTotals } from "../state/totals";
import { type PreparedBlock, type Restoration, StateDatabase } from "../storage";
import { BoundedCache } from "../storage/bounded-cache";
import type { SignatureCache } from "./authenticate";
import { BlockProposals } from "./block-proposals";
import { conductOf, wireUpdate } from "./conduct";
import { cosmosQueries, type QueryHandler } from "./cosmos-queries";
import { DecodedTransactions } from "./decoded-transactions";
import { EnvelopeError } from "./envelope-error";
import { type Executed, executeFacilitator, executeTransaction, type Surroundings, wireEvent } from "./execute";
import { ExecutionCounts } from "./execution-counts";
import { refuseFacilitatorTypes, requireFacilitatorPart } from "./facilitator-part";
import { type PendingBounds, PendingTransactions } from "./pending-transactions";
import { QueryAnswers } from "./query-answers";
import type { StateMachine } from "./state-machine";
import type { Transaction } from "./transaction";

/** Version of the rules: part of every block's header, and changed with them. */
export const applicationVersion = 3n;

/** What the application tells its operator. A pino logger is one. */
export interface ApplicationLog {
  error(details: object, message: string): void;
}

export interface ApplicationOptions {
  /** The folder of the state database. */
  readonly path: string;
  readonly machine: StateMachine;
  /** Queries beside the Cosmos ones, by their gRPC path. */
  readonly queries?: Readonly<Record<string, QueryHandler>>;
  readonly log?: ApplicationLog;
  readonly cachedPages?: number;
  readonly cachedValues?: number;
  /** As the state database's: whether whoever calls has the blocks on the disk, and executes again what the state there lacks. */
  readonly writeBehind?: boolean;
  /**
   * Most decoded transactions kept by their hash. Default 0: in one process a transaction is the same bytes from the
   * mempool to its block; an engine of its own sends them anew with each of some five requests.
   */
  readonly cachedTransactions?: number;
  /**
   * Most pending transactions that have no place of their own in a block. An engine's mempool is one for all: without a
   * bound below its own a flood would fill it, and keep out the confirmations that a part of each block is kept for.
   */
  readonly mostPending?: PendingBounds;
  /** Newest blocks that the engine is to keep; it may forget what is before them. Absent: all. */
  readonly keptBlocks?: bigint;
}

interface Chain {
  readonly chainId: string;
  readonly denomination: string;
  readonly parameters: Parameters;
}

/**
 * The exchange as an ABCI 0.38 application: synchronous, and ignorant of who calls it and over what. Exceptions that
 * leave it are fatal: the caller stops the node.
 *
 * CheckTx, Simulate and queries read the last committed state (and, for CheckTx, what the pending transactions did to
 * sequences and balances): between FinalizeBlock and Commit the working state is a branch that only Commit writes.
 */
export class Application {
  private readonly database: StateDatabase;
  private readonly machine: StateMachine;
  private readonly signatures: SignatureCache = new BoundedCache(50_000);
  private readonly transactions: DecodedTransactions;
  private readonly answers: QueryAnswers;
  /** Of this process. */
  readonly executed = new ExecutionCounts();
  private readonly proposals: BlockProposals;
  private readonly pending: PendingTransactions;
  private chain: Chain | undefined;
  private prepared: PreparedBlock | undefined;

  constructor(private readonly options: ApplicationOptions) {
    const { path, machine, queries, writeBehind = false } = options;
    this.machine = machine;
    this.database = new StateDatabase({
      path,
      writeBehind,
      ...(options.cachedPages === undefined ? {} : { cachedPages: options.cachedPages }),
      ...(options.cachedValues === undefined ? {} : { cachedValues: options.cachedValues }),
    });
    this.transactions = new DecodedTransactions(options.cachedTransactions ?? 0);
    this.answers = new QueryAnswers(this.database, { ...cosmosQueries, ...queries }, () =>
      this.surroundings(this.nextHeight()),
    );
    this.proposals = new BlockProposals(this.database, machine, this.transactions);
    this.pending = new PendingTransactions(this.database, this.transactions, this.proposals, options.mostPending);
    if (this.database.last !== undefined) this.chain = this.readChain();
  }

  info(_request: RequestInfo): ResponseInfo {
    const last = this.database.last;
    return {
      data: "dcx",
      version: "0.1.0",
      appVersion: applicationVersion,
      lastBlockHeight: last?.height ?? 0n,
      lastBlockAppHash: last?.appHash ?? new Uint8Array(),
    };
  }

  /** @throws when the genesis is no good, or there is a chain already. */
  initChain(request: RequestInitChain): ResponseInitChain {
    const last = this.database.last;
    if (last !== undefined && last.height > 0n) {
      throw new Error(`there is a chain at height ${last.height} already: it can't begin again in this folder`);
    }
    const genesis = parseGenesis(request.appStateBytes);
    if (genesis.chainId !== request.chainId) {
      throw new Error(`the genesis is of chain ${genesis.chainId}, the engine's of ${request.chainId}`);
    }
    // Where a start was cut short, height 0 is there already: the same genesis leads to the same state.
    if (last === undefined) {
      this.database.dropUncommitted();
      const state = new Branch(this.database);
      this.machine.initializeGenesis(state, genesis);
      this.database.commit(this.database.prepare(0n, state.changes()));
    }
    this.chain = this.readChain();
    this.pending.reset();
    const { blockMaxBytes, blockMaxGas } = this.chain.parameters;
    return ResponseInitChain.fromPartial({
      // Empty: the engine goes by its own genesis.
      validators: this.machine.validatorSet(this.database).map(wireUpdate),
      appHash: this.database.last?.appHash ?? new Uint8Array(),
      consensusParams: ConsensusParams.fromPartial({
        block: { maxBytes: blockMaxBytes, maxGas: blockMaxGas },
        version: { app: applicationVersion },
      }),
    });
  }

  /** Looks at a pending transaction (new: all of it; recheck: all but its signatures, which can't have changed). */
  checkTx(request: RequestCheckTx): ResponseCheckTx {
    return this.pending.check(request, this.surroundings(this.nextHeight()));
  }

  /** Whether a part of every block is kept for all that the transaction holds. False where it can't be read. */
  hasReservedPlace(bytes: Uint8Array): boolean {
    return this.proposals.candidate(bytes).some(({ confirmation }) => confirmation);
  }

  /** SHA-256 of a transaction: worked out once for all that ask. @throws EnvelopeError when it can't be decoded. */
  hashOf(bytes: Uint8Array): Buffer {
    return this.transactions.of(bytes).hash;
  }

  prepareProposal(request: RequestPrepareProposal): ResponsePrepareProposal {
    const txs = this.proposals.choose(request, this.need().parameters);
    return ResponsePrepareProposal.fromPartial({ txs: [...txs] });
  }

  processProposal(request: RequestProcessProposal): ResponseProcessProposal {
    const problem = this.proposals.problemOf(request, this.need().parameters);
    if (problem !== undefined) {
      this.options.log?.error({ height: request.height.toString(), problem }, "refused a proposed block");
    }
    const status = problem === undefined ? ProposalStatus.ACCEPT : ProposalStatus.REJECT;
    return ResponseProcessProposal.fromPartial({ status });
  }

  /**
   * Executes a decided block in a branch of the state.
   * @throws FacilitatorMismatch, or what the storage throws: the node must stop.
   */
  finalizeBlock(request: RequestFinalizeBlock): ResponseFinalizeBlock {
    const { chainId } = this.need();
    const height = request.height;
    if (height !== this.nextHeight()) {
      throw new Error(`block ${height} can't follow block ${this.nextHeight() - 1n}: replay the blocks in between`);
    }
    const facilitator = this.proposals.facilitatorPart(height);
    requireFacilitatorPart(request.txs, facilitator, height);
    const working = new Branch(this.database);
    const around = this.surroundings(height);
    const events = this.machine.beginBlock(working, { chainId, height }, conductOf(request));
    let fees = 0n;
    const txResults = request.txs.map((bytes, index) => {
      const { result, fee, messages } = this.execute(working, bytes, index < facilitator.length, around);
      fees += fee;
      this.executed.add(messages, result.code);
      return result;
    });
    collectFees(working, fees);
    const end = this.machine.endBlock(working, { chainId, height }, fees);
    this.prepared = this.database.prepare(height, working.changes());
    return ResponseFinalizeBlock.fromPartial({
      events: [...events, ...end.events].map(wireEvent),
      txResults,
      validatorUpdates: end.validatorUpdates.map(wireUpdate),
      appHash: this.prepared.appHash,
    });
  }

  /** Makes the finalized block the committed state: on the disk, or where it is written behind, on its way there. */
  commit(): ResponseCommit {
    if (this.prepared === undefined) throw new Error("commit without a finalized block");
    this.database.commit(this.prepared);
    this.prepared = undefined;
    this.proposals.forget();
    // A vote may have changed the parameters.
    this.chain = this.readChain();
    this.pending.reset();
    const { keptBlocks } = this.options;
    const first = keptBlocks === undefined ? 0n : this.height - keptBlocks + 1n;
    return { retainHeight: first > 0n ? first : 0n };
  }

  /**
   * Begins to take the state of a block that others executed, in parts; `finishRestoration` ends it.
   * @throws when there is a state already
   */
  beginRestoration(): Restoration {
    return this.database.beginRestoration();
  }

  /**
   * Begins the chain with what was taken.
   * @returns false where it does not lead to the app hash of that block: nothing has changed then
   */
  finishRestoration(restoration: Restoration, height: bigint, appHash: Uint8Array): boolean {
    if (!this.database.finishRestoration(restoration, height, appHash)) return false;
    this.chain = this.readChain();
    this.pending.reset();
    return true;
  }

  query(request: RequestQuery): ResponseQuery {
    return this.answers.query(request);
  }

  /** Of the last committed block; 0 before the first. */
  get height(): bigint {
    return this.database.last?.height ?? 0n;
  }

  /** Milliseconds between blocks. */
  get blockInterval(): number {
    return Number(this.need().parameters.blockInterval);
  }

  get parameters(): Parameters {
    return this.need().parameters;
  }

  get chainId(): string {
    return this.need().chainId;
  }

  /** Whether an empty block changes anything: somebody pays rent, or waits for a match, stake or a vote. */
  dependsOnHeight(): boolean {
    const totals = getTotals(this.database);
    return totals.openOrders > 0n || totals.activeLeases > 0n || totals.unbonding > 0n || totals.proposalDeposits > 0n;
  }

  /** Height of the block whose state is on the disk: those after it would have to be executed again. */
  get writtenHeight(): bigint {
    return this.database.writtenHeight;
  }

  /** Resolves once all that is committed is on the disk. Rejects with what keeps it from that. */
  written() {
    return this.database.written();
  }

  /** Resolves once everything is on the disk and closed. */
  close() {
    return this.database.close();
  }

  private execute(
    working: Branch,
    bytes: Uint8Array,
    facilitator: boolean,
    around: Surroundings,
  ): Executed & Pick<Transaction, "messages"> {
    let transaction: Transaction;
    try {
      transaction = this.transactions.of(bytes);
      const { messages } = transaction;
      if (facilitator) return { result: executeFacilitator(working, transaction, around), fee: 0n, messages };
      refuseFacilitatorTypes(transaction);
    } catch (error) {
      if (!(error instanceof EnvelopeError)) throw error;
      const { code, codespace, message: log } = error;
      return { result: ExecTxResult.fromPartial({ code, codespace, log }), fee: 0n, messages: [] };
    }
    return { ...executeTransaction(working, transaction, around), messages: transaction.messages };
  }

  private nextHeight(): bigint {
    return (this.database.last?.height ?? 0n) + 1n;
  }

  private surroundings(height: bigint): Surroundings {
    const { chainId, denomination, parameters } = this.need();
    return {
      machine: this.machine,
      chainId,
      denomination,
      parameters,
      signatures: this.signatures,
      height,
      onDefect: (error, transaction) => {
        const hash = transaction.hash.toString("hex");
        this.options.log?.error({ err: error, transaction: hash }, "a transaction met a defect: please report it");
      },
    };
  }

  private readChain(): Chain {
    const { chainId, denomination } = getChain(this.database);
    return { chainId, denomination, parameters: getParameters(this.database) };
  }

  private need(): Chain {
    if (this.chain === undefined) throw new Error("the chain has not begun: InitChain comes first");
    return this.chain;
  }
}

function parseGenesis(bytes: Uint8Array): Genesis {
  try {
    return Genesis.fromJSON(JSON.parse(Buffer.from(bytes).toString("utf8")));
  } catch (error) {
    throw new Error("the application state of the genesis is not a genesis of dcx", { cause: error });
  }
}
