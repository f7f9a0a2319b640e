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

/** Blocks that are executed again before what they lead to is waited for on the disk. */
const replayedTogether = 100;

/**
 * The blocks of a chain with one validator: makes the next one, and executes again what a crash cut short. A block is on the
 * disk before the application commits it; the state that it leads to is written behind it.
 */
export class Chain {
  constructor(
    private readonly application: Application,
    private readonly store: BlockStore,
    private readonly validator: ValidatorKey,
    /** Milliseconds since 1970. */
    private readonly genesisTime: number,
  ) {}

  /**
   * Brings the application to the last stored block: it is behind by what a crash kept from being written.
   * @returns how many blocks were executed again
   * @throws when the application's state does not fit the blocks, or comes to other results than are stored
   */
  async replay(): Promise<number> {
    const { height: stored, base } = this.store;
    const { height } = this.application;
    if (stored < height || (stored > height && base > height + 1n)) {
      throw new Error(
        `the state is at block ${height}, the blocks are ${base} to ${stored}: the folder was put together from two; restore it as a whole`,
      );
    }
    let executed = 0;
    for (let at = height + 1n; at <= stored; at++) {
      this.executeAgain(at);
      if (++executed % replayedTogether === 0) await this.application.written();
    }
    return executed;
  }

  private executeAgain(height: bigint): void {
    const stored = this.store.at(height);
    if (stored === undefined) throw new Error(`block ${height} is missing from the block store`);
    const results = this.finalize(stored.block, stored.commit.blockId.hash);
    requireSame(height, "app hash", stored.results.appHash, results.appHash);
    requireSame(height, "results", resultsHash(stored.results.txResults), resultsHash(results.txResults));
    this.application.commit();
  }

  /** Makes, executes, stores and commits the next block. @throws what must stop the node */
  produce(mempool: Pick<Mempool, "list" | "settle">): { readonly stored: StoredBlock; readonly hashes: Buffer[] } {
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
    this.store.save(stored, bytes, hashes, this.application.writtenHeight);
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
