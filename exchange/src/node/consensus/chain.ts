import type { ResponseFinalizeBlock } from "cosmjs-types/tendermint/abci/types";
import type { Block } from "cosmjs-types/tendermint/types/block";
import type { Application } from "../../application";
import { applicationVersion } from "../../application/application";
import type { BlockStore, StoredBlock } from "../block-store";
import type { Mempool } from "../mempool/mempool";
import {
  consensusHash,
  hashOfNothing,
  hashOfSet,
  lastCommitInfo,
  makeHeader,
  noBlockId,
  noCommit,
  resultsHash,
  sealBlock,
  signCommit,
} from "./block";
import { millisecondsOf, timestampOf } from "./time";
import type { ValidatorKey } from "./validator-key";

// Header, last commit and framing of a block with one validator, in bytes: less than this.
const blockOverhead = 2048n;

/** The blocks of a chain with one validator: makes the next one, and executes again what a crash cut short. */
export class Chain {
  constructor(
    private readonly application: Application,
    private readonly store: BlockStore,
    private readonly validator: ValidatorKey,
    /** Milliseconds since 1970. */
    private readonly genesisTime: number,
  ) {}

  /**
   * Brings the application to the last stored block. The store is at most one block ahead: a block is written with
   * its results before the application commits it.
   * @throws when the application's state does not fit the blocks, or comes to other results than are stored
   */
  replay(): void {
    const info = this.application.info({ version: "", blockVersion: 0n, p2pVersion: 0n, abciVersion: "" });
    const stored = this.store.height;
    if (stored === info.lastBlockHeight) return;
    if (stored !== info.lastBlockHeight + 1n) {
      throw new Error(
        `the state is at block ${info.lastBlockHeight}, the blocks end at ${stored}: the folder was put together from two; restore it as a whole`,
      );
    }
    const block = this.store.at(stored);
    if (block === undefined) throw new Error(`block ${stored} is missing from the block store`);
    const results = this.finalize(block.block, block.commit.blockId.hash);
    requireSame(stored, "app hash", block.results.appHash, results.appHash);
    requireSame(stored, "results", resultsHash(block.results.txResults), resultsHash(results.txResults));
    this.application.commit();
  }

  /** Makes, executes, stores and commits the next block. @throws what must stop the node */
  produce(mempool: Mempool): { readonly stored: StoredBlock; readonly hashes: Buffer[] } {
    const height = this.store.height + 1n;
    const { chainId, parameters } = this.application;
    const previous = this.store.at(height - 1n);
    const previousTime = previous === undefined ? undefined : millisecondsOf(previous.block.header.time);
    // A block's time is the commit's before it; the clock may be set back, a chain's time may not.
    const now = Math.max(Date.now(), previousTime === undefined ? this.genesisTime : previousTime + 1);
    const time = timestampOf(previous === undefined ? this.genesisTime : now);
    const lastCommit =
      previous === undefined
        ? noCommit()
        : signCommit(this.validator, chainId, height - 1n, previous.commit.blockId, time);
    const { txs } = this.application.prepareProposal({
      maxTxBytes: parameters.blockMaxBytes - blockOverhead,
      txs: mempool.list(),
      localLastCommit: { round: 0, votes: [] },
      misbehavior: [],
      height,
      time,
      nextValidatorsHash: hashOfSet(this.validator),
      proposerAddress: this.validator.address,
    });
    const hashes = txs.map((transaction) => this.application.hashOf(transaction));
    const info = this.application.info({ version: "", blockVersion: 0n, p2pVersion: 0n, abciVersion: "" });
    const header = makeHeader(
      {
        chainId,
        height,
        time,
        lastBlockId: previous?.commit.blockId ?? noBlockId(),
        lastCommit,
        transactionHashes: hashes,
        consensusHash: consensusHash(parameters.blockMaxBytes, parameters.blockMaxGas),
        appHash: info.lastBlockAppHash,
        lastResultsHash: previous === undefined ? hashOfNothing : resultsHash(previous.results.txResults),
        appVersion: applicationVersion,
      },
      this.validator,
    );
    const { id, block, bytes } = sealBlock(header, txs, lastCommit);
    const results = this.finalize(block, id.hash);
    const commit = signCommit(this.validator, chainId, height, id, timestampOf(now));
    const stored = { block, commit, results, size: bytes.length };
    // Nobody has seen the block before it is stored, so it may be stored once it is executed, all in one write.
    this.store.save(stored, bytes, hashes);
    this.application.commit();
    mempool.settle(hashes);
    return { stored, hashes };
  }

  private finalize(block: Block, hash: Uint8Array): ResponseFinalizeBlock {
    const { height, time, nextValidatorsHash, proposerAddress } = block.header;
    return this.application.finalizeBlock({
      txs: block.data.txs,
      decidedLastCommit: lastCommitInfo(height, this.validator),
      misbehavior: [],
      hash,
      height,
      time,
      nextValidatorsHash,
      proposerAddress,
    });
  }
}

function requireSame(height: bigint, what: string, stored: Uint8Array, computed: Uint8Array): void {
  if (Buffer.compare(stored, computed) === 0) return;
  const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString("hex");
  throw new Error(
    `block ${height} was executed to ${what} ${hex(stored)}, executing it again gives ${hex(computed)}: this version of dcx must not go on with this chain`,
  );
}
