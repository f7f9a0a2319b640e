/**
 * CometBFT's block: its hashes, its parts, and the commit that signs it. What is encoded here is what a light client
 * or an explorer checks. (CometBFT: types/block.go, types/part_set.go, types/canonical.go, types/results.go)
 */
import { headerHash, merkleRoot, validatorsHash, voteSignBytes } from "@dcx/protocol";
import type { Timestamp } from "cosmjs-types/google/protobuf/timestamp";
import { ExecTxResult } from "cosmjs-types/tendermint/abci/types";
import { Block } from "cosmjs-types/tendermint/types/block";
import { HashedParams } from "cosmjs-types/tendermint/types/params";
import {
  type BlockID,
  type Commit,
  CommitSig,
  type Header,
  type PartSetHeader,
} from "cosmjs-types/tendermint/types/types";
import { BlockIDFlag } from "cosmjs-types/tendermint/types/validator";
import { encode } from "../../encode";
import { sha256 } from "../../storage/sha256";
import type { ValidatorKey } from "./validator-key";

const partSize = 65_536;
export const blockProtocol = 11n;
/** The one validator of an embedded network has all the power there is. */
export const votingPower = 10n;
/** Hash of no evidence, and of no results. */
export const hashOfNothing = merkleRoot([]);

/** What a block is built from, but for what the chain so far determines. */
export interface HeaderFields {
  readonly chainId: string;
  readonly height: bigint;
  readonly time: Timestamp;
  readonly lastBlockId: BlockID;
  readonly lastCommit: Commit;
  readonly transactionHashes: readonly Uint8Array[];
  readonly consensusHash: Uint8Array;
  readonly appHash: Uint8Array;
  readonly lastResultsHash: Uint8Array;
  readonly appVersion: bigint;
}

export function noBlockId(): BlockID {
  return { hash: new Uint8Array(), partSetHeader: { total: 0, hash: new Uint8Array() } };
}

/** What block 1 carries for the commit of the block before it. */
export function noCommit(): Commit {
  return { height: 0n, round: 0, blockId: noBlockId(), signatures: [] };
}

export function makeHeader(fields: HeaderFields, validator: ValidatorKey): Header {
  const validators = hashOfSet(validator);
  return {
    version: { block: blockProtocol, app: fields.appVersion },
    chainId: fields.chainId,
    height: fields.height,
    time: fields.time,
    lastBlockId: fields.lastBlockId,
    lastCommitHash: merkleRoot(fields.lastCommit.signatures.map((one) => CommitSig.encode(one).finish())),
    dataHash: merkleRoot(fields.transactionHashes),
    validatorsHash: validators,
    nextValidatorsHash: validators,
    consensusHash: fields.consensusHash,
    appHash: fields.appHash,
    lastResultsHash: fields.lastResultsHash,
    evidenceHash: hashOfNothing,
    proposerAddress: validator.address,
  };
}

/** Encodes a block and names it: its hash, and the hash of the parts in which validators would exchange it. */
export function sealBlock(
  header: Header,
  transactions: Uint8Array[],
  lastCommit: Commit,
): { readonly id: BlockID; readonly block: Block; readonly bytes: Uint8Array } {
  const block: Block = { header, data: { txs: transactions }, evidence: { evidence: [] }, lastCommit };
  const bytes = encode(Block, block);
  return { id: { hash: headerHash(header), partSetHeader: partSetHeader(bytes) }, block, bytes };
}

function partSetHeader(blockBytes: Uint8Array): PartSetHeader {
  const parts: Uint8Array[] = [];
  for (let at = 0; at < blockBytes.length; at += partSize) parts.push(blockBytes.subarray(at, at + partSize));
  return { total: parts.length, hash: merkleRoot(parts) };
}

/** The validator's precommit for a block, as a commit of one signature. */
export function signCommit(
  validator: ValidatorKey,
  chainId: string,
  height: bigint,
  id: BlockID,
  timestamp: Timestamp,
): Commit {
  const vote = { height, round: 0, blockId: id };
  const signature = validator.sign(voteSignBytes(chainId, vote, timestamp));
  return {
    ...vote,
    signatures: [
      { blockIdFlag: BlockIDFlag.BLOCK_ID_FLAG_COMMIT, validatorAddress: validator.address, timestamp, signature },
    ],
  };
}

/** The hash of a set of one. */
export function hashOfSet({ publicKey }: ValidatorKey): Buffer {
  return validatorsHash([{ publicKey, power: votingPower }]);
}

export function consensusHash(blockMaxBytes: bigint, blockMaxGas: bigint): Buffer {
  return sha256(HashedParams.encode({ blockMaxBytes, blockMaxGas }).finish());
}

/** The root over what of the results is the same on every node: code, data and gas. */
export function resultsHash(results: readonly ExecTxResult[]): Buffer {
  return merkleRoot(
    results.map(({ code, data, gasWanted, gasUsed }) =>
      encode(ExecTxResult, { ...unhashed, code, data, gasWanted, gasUsed }),
    ),
  );
}

const unhashed = { log: "", info: "", events: [], codespace: "" };

/** How the application is told who signed the block before. */
export function lastCommitInfo(height: bigint, validator: ValidatorKey) {
  if (height <= 1n) return { round: 0, votes: [] };
  return {
    round: 0,
    votes: [
      {
        validator: { address: validator.address, power: votingPower },
        blockIdFlag: BlockIDFlag.BLOCK_ID_FLAG_COMMIT,
      },
    ],
  };
}
