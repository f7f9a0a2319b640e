import {
  ResponseProcessProposal_ProposalStatus as ProposalStatus,
  type Request,
  type Response,
} from "cosmjs-types/tendermint/abci/types";
import type { Application } from "../application";
import type { Restore } from "../snapshots/restore";
import type { Snapshots } from "../snapshots/snapshots";

/** What an engine speaks to. */
export interface Served {
  readonly application: Application;
  readonly snapshots: Snapshots;
  readonly restore: Restore;
  /** Of the last block in which this version takes part, and what is called once it is committed. */
  readonly halt?: { readonly height: bigint; readonly reached: () => void } | undefined;
}

/** The chain has come to the block after which another version is to run: the node stops. */
export class HaltHeightReached extends Error {
  override readonly name = "HaltHeightReached";

  constructor(height: bigint) {
    super(
      `block ${height} is the last for this version: start the new one on this folder, without a height to halt at`,
    );
  }
}

/** The engine asked for something that the application does not take part in. */
class UnsupportedRequest extends Error {
  override readonly name = "UnsupportedRequest";
}

/**
 * What the application answers to a request of the consensus engine (ABCI 2.0, CometBFT 0.38). Under an engine the
 * blocks' bounds are the application's alone: the engine hands every pending transaction to PrepareProposal, or the
 * part of a block that is kept for confirmations could not be filled from behind a flood.
 * @throws UnsupportedRequest, and what the application throws: both must stop the node
 */
export function answer({ application, snapshots, restore, halt }: Served, request: Request): Response {
  if (request.echo !== undefined) return { echo: { message: request.echo.message } };
  if (request.flush !== undefined) return { flush: {} };
  if (request.info !== undefined) return { info: application.info(request.info) };
  if (request.initChain !== undefined) {
    const initChain = application.initChain(request.initChain);
    const block = { maxBytes: -1n, maxGas: -1n };
    return { initChain: { ...initChain, consensusParams: { ...initChain.consensusParams, block } } };
  }
  if (request.query !== undefined) return { query: application.query(request.query) };
  if (request.checkTx !== undefined) return { checkTx: application.checkTx(request.checkTx) };
  if (request.prepareProposal !== undefined) {
    return { prepareProposal: application.prepareProposal(request.prepareProposal) };
  }
  if (request.processProposal !== undefined) {
    // It votes for no later block, its own neither.
    if (isAfter(halt, request.processProposal)) return { processProposal: { status: ProposalStatus.REJECT } };
    return { processProposal: application.processProposal(request.processProposal) };
  }
  if (request.finalizeBlock !== undefined) {
    if (halt !== undefined && isAfter(halt, request.finalizeBlock)) throw new HaltHeightReached(halt.height);
    return { finalizeBlock: application.finalizeBlock(request.finalizeBlock) };
  }
  if (request.commit !== undefined) {
    const commit = application.commit();
    snapshots.committed(application.height);
    if (application.height === halt?.height) halt.reached();
    return { commit };
  }
  if (request.listSnapshots !== undefined) return { listSnapshots: { snapshots: snapshots.list() } };
  if (request.loadSnapshotChunk !== undefined) {
    const { height, format, chunk } = request.loadSnapshotChunk;
    return { loadSnapshotChunk: { chunk: snapshots.chunk(height, format, chunk) } };
  }
  if (request.offerSnapshot !== undefined) return { offerSnapshot: { result: restore.offer(request.offerSnapshot) } };
  if (request.applySnapshotChunk !== undefined) {
    return { applySnapshotChunk: restore.apply(request.applySnapshotChunk) };
  }
  throw new UnsupportedRequest(`the engine asked for ${Object.keys(request).join(", ")}, which dcx does not answer`);
}

function isAfter(halt: Served["halt"], { height }: { readonly height: bigint }): boolean {
  return halt !== undefined && height > halt.height;
}
