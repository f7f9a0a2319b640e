import {
  ResponseApplySnapshotChunk_Result as ChunkResult,
  ResponseOfferSnapshot_Result as OfferResult,
  type RequestApplySnapshotChunk,
  type RequestOfferSnapshot,
  type ResponseApplySnapshotChunk,
} from "cosmjs-types/tendermint/abci/types";
import type { Application } from "../application";
import { keyString } from "../storage/keys";
import { sha256 } from "../storage/sha256";
import { chunkHashes, decodeChunk, snapshotFormat } from "./chunk";

interface Offered {
  readonly height: bigint;
  /** Which a light client of the engine has verified. */
  readonly appHash: Uint8Array;
  readonly hashes: readonly Buffer[];
  readonly entries: (readonly [key: string, value: Uint8Array])[];
}

/**
 * Begins a node's state from what its peers hand over. No peer is trusted: a chunk counts if its hash is that of the
 * offered snapshot, and the whole if it leads to the app hash of the chain's verified header.
 */
export class Restore {
  private offered: Offered | undefined;

  constructor(private readonly application: Application) {}

  offer({ snapshot, appHash }: RequestOfferSnapshot): OfferResult {
    this.offered = undefined;
    if (snapshot === undefined) return OfferResult.REJECT;
    if (snapshot.format !== snapshotFormat) return OfferResult.REJECT_FORMAT;
    const hashes = chunkHashes(snapshot.metadata, snapshot.hash, snapshot.chunks);
    if (hashes === undefined) return OfferResult.REJECT;
    this.offered = { height: snapshot.height, appHash, hashes, entries: [] };
    return OfferResult.ACCEPT;
  }

  /** Chunks come in their order. */
  apply({ index, chunk, sender }: RequestApplySnapshotChunk): ResponseApplySnapshotChunk {
    const { offered } = this;
    if (offered === undefined) return result(ChunkResult.ABORT);
    if (offered.hashes[index]?.equals(sha256(chunk)) !== true) {
      return { result: ChunkResult.RETRY, refetchChunks: [index], rejectSenders: [sender] };
    }
    try {
      // A copy: the frame that holds the chunk goes on to be used.
      for (const [key, value] of decodeChunk(Uint8Array.from(chunk))) offered.entries.push([keyString(key), value]);
    } catch {
      return result(ChunkResult.REJECT_SNAPSHOT);
    }
    if (index < offered.hashes.length - 1) return result(ChunkResult.ACCEPT);
    this.offered = undefined;
    const restored = this.application.restore(offered.height, offered.appHash, offered.entries);
    return result(restored ? ChunkResult.ACCEPT : ChunkResult.REJECT_SNAPSHOT);
  }
}

function result(outcome: ChunkResult): ResponseApplySnapshotChunk {
  return { result: outcome, refetchChunks: [], rejectSenders: [] };
}
