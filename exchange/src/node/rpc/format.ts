/** CometBFT's JSON: hashes in upper-case hexadecimal, bytes in base64, 64-bit numbers as text. */

import type { MerkleProof } from "@dcx/protocol";
import type { Event, ExecTxResult, ResponseCheckTx, ResponseQuery } from "cosmjs-types/tendermint/abci/types";
import type { Block } from "cosmjs-types/tendermint/types/block";
import type { BlockID, Commit, Header } from "cosmjs-types/tendermint/types/types";
import type { StoredBlock } from "../block-store";
import { votingPower } from "../consensus/block";
import { formatTimestamp } from "../consensus/time";

export type Json = string | number | boolean | null | readonly Json[] | { readonly [key: string]: Json };

export function hex(bytes: Uint8Array): string {
  return asBuffer(bytes).toString("hex").toUpperCase();
}

export function base64(bytes: Uint8Array): string {
  return asBuffer(bytes).toString("base64");
}

export function formatBlockId(id: BlockID) {
  return { hash: hex(id.hash), parts: { total: id.partSetHeader.total, hash: hex(id.partSetHeader.hash) } };
}

export function formatHeader(header: Header) {
  return {
    version: { block: header.version.block.toString(), app: header.version.app.toString() },
    chain_id: header.chainId,
    height: header.height.toString(),
    time: formatTimestamp(header.time),
    last_block_id: formatBlockId(header.lastBlockId),
    last_commit_hash: hex(header.lastCommitHash),
    data_hash: hex(header.dataHash),
    validators_hash: hex(header.validatorsHash),
    next_validators_hash: hex(header.nextValidatorsHash),
    consensus_hash: hex(header.consensusHash),
    app_hash: hex(header.appHash),
    last_results_hash: hex(header.lastResultsHash),
    evidence_hash: hex(header.evidenceHash),
    proposer_address: hex(header.proposerAddress),
  };
}

export function formatCommit(commit: Commit) {
  return {
    height: commit.height.toString(),
    round: commit.round,
    block_id: formatBlockId(commit.blockId),
    signatures: commit.signatures.map((one) => ({
      block_id_flag: one.blockIdFlag,
      validator_address: hex(one.validatorAddress),
      timestamp: formatTimestamp(one.timestamp),
      signature: base64(one.signature),
    })),
  };
}

export function formatBlock(block: Block) {
  return {
    header: formatHeader(block.header),
    data: { txs: block.data.txs.map(base64) },
    evidence: { evidence: [] },
    last_commit: block.lastCommit === undefined ? null : formatCommit(block.lastCommit),
  };
}

export function formatBlockWithId(stored: StoredBlock) {
  return { block_id: formatBlockId(stored.commit.blockId), block: formatBlock(stored.block) };
}

export function formatBlockMeta(stored: StoredBlock) {
  return {
    block_id: formatBlockId(stored.commit.blockId),
    block_size: stored.size.toString(),
    header: formatHeader(stored.block.header),
    num_txs: stored.block.data.txs.length.toString(),
  };
}

export function formatEvents(events: readonly Event[]) {
  return events.map((event) => ({
    type: event.type,
    attributes: event.attributes.map(({ key, value, index }) => ({ key, value, index })),
  }));
}

export function formatResult(result: ExecTxResult | ResponseCheckTx) {
  return {
    code: result.code,
    data: result.data.length === 0 ? null : base64(result.data),
    log: result.log,
    info: result.info,
    gas_wanted: result.gasWanted.toString(),
    gas_used: result.gasUsed.toString(),
    events: formatEvents(result.events),
    codespace: result.codespace,
  };
}

export function formatTransaction(stored: StoredBlock, index: number, hash: Uint8Array, proof?: MerkleProof): Json {
  const bytes = stored.block.data.txs[index];
  const result = stored.results.txResults[index];
  if (bytes === undefined || result === undefined) throw new Error(`the block has no transaction ${index}`);
  return {
    hash: hex(hash),
    height: stored.block.header.height.toString(),
    index,
    tx_result: formatResult(result),
    tx: base64(bytes),
    ...(proof === undefined
      ? {}
      : {
          proof: {
            root_hash: hex(stored.block.header.dataHash),
            data: base64(bytes),
            proof: {
              total: proof.total.toString(),
              index: proof.index.toString(),
              leaf_hash: base64(proof.leafHash),
              aunts: proof.aunts.map(base64),
            },
          },
        }),
  };
}

export function formatQuery(response: ResponseQuery): Json {
  return {
    code: response.code,
    log: response.log,
    info: response.info,
    index: response.index.toString(),
    key: response.key.length === 0 ? null : base64(response.key),
    value: response.value.length === 0 ? null : base64(response.value),
    proofOps:
      response.proofOps === undefined
        ? null
        : { ops: response.proofOps.ops.map((op) => ({ type: op.type, key: base64(op.key), data: base64(op.data) })) },
    height: response.height.toString(),
    codespace: response.codespace,
  };
}

export function formatPublicKey(publicKey: Uint8Array) {
  return { type: "tendermint/PubKeyEd25519", value: base64(publicKey) };
}

export function formatValidator(publicKey: Uint8Array, address: Uint8Array) {
  return {
    address: hex(address),
    pub_key: formatPublicKey(publicKey),
    voting_power: votingPower.toString(),
    proposer_priority: "0",
  };
}

function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
