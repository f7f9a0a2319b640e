import {
  ResponseApplySnapshotChunk_Result as ChunkResult,
  ResponseOfferSnapshot_Result as OfferResult,
  type RequestApplySnapshotChunk,
  type RequestOfferSnapshot,
  type ResponseApplySnapshotChunk,
} from "cosmjs-types/tendermint/abci/types";
import type { Application } from "../application";
import type { Restoration } from "../storage";
import { keyString, longestKey } from "../storage/keys";
import { sha256 } from "../storage/sha256";
import { chunkHashes, decodeChunk, snapshotFormat } from "./chunk";

interface Offered {
  readonly height: bigint;
  /** Which a light client of the engine has verified. */
  readonly appHash: Uint8Array;
  readonly hashes: readonly Buffer[];
  /** Begun with the first chunk. */
  restoration: Restoration | undefined;
  /** The last key so far. */
  last: string;
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
    // A copy: the frame that holds it is large, and would stay as long.
    const hash = Uint8Array.from(appHash);
    this.offered = { height: snapshot.height, appHash: hash, hashes, restoration: undefined, last: "" };
    return OfferResult.ACCEPT;
  }

  /** Chunks come in their order. */
  apply({ index, chunk, sender }: RequestApplySnapshotChunk): ResponseApplySnapshotChunk {
    const { offered } = this;
    if (offered === undefined) return result(ChunkResult.ABORT);
    if (offered.hashes[index]?.equals(sha256(chunk)) !== true) {
      return { result: ChunkResult.RETRY, refetchChunks: [index], rejectSenders: [sender] };
    }
    const entries = entriesBehind(offered.last, chunk);
    if (entries === undefined) {
      this.offered = undefined;
      return result(ChunkResult.REJECT_SNAPSHOT);
    }
    offered.restoration ??= this.application.beginRestoration();
    offered.restoration.add(entries);
    offered.last = entries.at(-1)?.[0] ?? offered.last;
    if (index < offered.hashes.length - 1) return result(ChunkResult.ACCEPT);
    this.offered = undefined;
    const restored = this.application.finishRestoration(offered.restoration, offered.height, offered.appHash);
    return result(restored ? ChunkResult.ACCEPT : ChunkResult.REJECT_SNAPSHOT);
  }
}

/**
 * What a chunk holds. `undefined`: it is none, or one that no honest node has made. Each key lies behind the one before,
 * so that none comes twice, which no tree could hold.
 */
function entriesBehind(last: string, chunk: Uint8Array): (readonly [key: string, value: Uint8Array])[] | undefined {
  const entries: (readonly [key: string, value: Uint8Array])[] = [];
  let before = last;
  try {
    for (const [bytes, value] of decodeChunk(chunk)) {
      const key = keyString(bytes);
      if (key <= before || key.length > longestKey) return undefined;
      entries.push([key, value]);
      before = key;
    }
  } catch {
    return undefined;
  }
  return entries;
}

function result(outcome: ChunkResult): ResponseApplySnapshotChunk {
  return { result: outcome, refetchChunks: [], rejectSenders: [] };
}
