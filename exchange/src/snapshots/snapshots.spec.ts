import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  ResponseApplySnapshotChunk_Result as ChunkResult,
  ResponseOfferSnapshot_Result as OfferResult,
  RequestApplySnapshotChunk,
  RequestInfo,
  RequestOfferSnapshot,
  type Snapshot,
} from "cosmjs-types/tendermint/abci/types";
import fc from "fast-check";
import pino from "pino";
import { Application } from "../application";
import { exchangeMachine } from "../application/exchange-machine";
import { SignedChain } from "../application/testing/signed-chain";
import { participants } from "../state/testing/histories";
import { sha256 } from "../storage/sha256";
import { decodeChunk, type Entry, encodeChunks, metadataOf } from "./chunk";
import { Restore } from "./restore";
import { Snapshots } from "./snapshots";
import { writeSnapshot } from "./write";

const logger = pino({ level: "silent" });

describe("a chunk", () => {
  it("holds the entries that were put into it", () => {
    const entry = fc.tuple(fc.uint8Array({ minLength: 1, maxLength: 60 }), fc.uint8Array({ maxLength: 300 }));
    fc.assert(
      fc.property(fc.array(entry), (entries) => {
        expect([...encodeChunks(entries)].flatMap((chunk) => [...decodeChunk(chunk)])).toEqual(entries);
      }),
    );
  });
});

describe("a snapshot of the state", () => {
  let folder: string;
  let chain: SignedChain;
  let snapshots: Snapshots;
  let snapshot: Snapshot;
  let appHash: Uint8Array;
  let fresh: Application;

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "dcx-snapshots-"));
    chain = new SignedChain(join(folder, "state"), participants);
    for (let block = 0; block < 3; block++) chain.commit(chain.propose([]));
    writeSnapshot(join(folder, "state"), join(folder, "snapshots"));
    snapshots = new Snapshots({
      folder: join(folder, "snapshots"),
      database: join(folder, "state"),
      interval: 0,
      logger,
    });
    const [only] = snapshots.list();
    if (only === undefined) throw new Error("there is a snapshot");
    snapshot = only;
    appHash = Buffer.from(chain.appHash, "hex");
    fresh = new Application({ path: join(folder, "fresh"), machine: exchangeMachine });
  });

  afterEach(async () => {
    await chain.application.close();
    await fresh.close();
    rmSync(folder, { recursive: true, force: true });
  });

  const chunk = (change: (bytes: Uint8Array) => Uint8Array = (bytes) => bytes) =>
    RequestApplySnapshotChunk.fromPartial({
      index: 0,
      chunk: change(snapshots.chunk(snapshot.height, snapshot.format, 0)),
      sender: "a-peer",
    });

  it("begins another node with the same app hash, which goes on with the chain", () => {
    expect(snapshot).toMatchObject({ height: 3n, chunks: 1 });
    const restore = new Restore(fresh);
    expect(restore.offer(RequestOfferSnapshot.fromPartial({ snapshot, appHash }))).toBe(OfferResult.ACCEPT);
    expect(restore.apply(chunk()).result).toBe(ChunkResult.ACCEPT);
    const info = fresh.info({ version: "", blockVersion: 0n, p2pVersion: 0n, abciVersion: "" });
    expect(info.lastBlockHeight).toBe(3n);
    expect(Buffer.from(info.lastBlockAppHash).toString("hex")).toBe(chain.appHash);
    expect(fresh.chainId).toBe(chain.application.chainId);
  });

  it("is the same bytes on every node", () => {
    const name = snapshot.height.toString();
    writeSnapshot(join(folder, "state"), join(folder, "again"));
    for (const file of readdirSync(join(folder, "snapshots", name))) {
      const [one, other] = ["snapshots", "again"].map((place) => readFileSync(join(folder, place, name, file)));
      expect(one).toEqual(other);
    }
  });

  it("is asked for again, from another peer, where a chunk is not what was offered", () => {
    const restore = new Restore(fresh);
    restore.offer(RequestOfferSnapshot.fromPartial({ snapshot, appHash }));
    const changed = chunk((bytes) => Uint8Array.from(bytes, (byte, index) => (index === 9 ? byte ^ 1 : byte)));
    expect(restore.apply(changed)).toEqual({
      result: ChunkResult.RETRY,
      refetchChunks: [0],
      rejectSenders: ["a-peer"],
    });
    expect(restore.apply(chunk()).result).toBe(ChunkResult.ACCEPT);
  });

  it("counts for nothing where it does not lead to the chain's app hash", () => {
    const restore = new Restore(fresh);
    restore.offer(RequestOfferSnapshot.fromPartial({ snapshot, appHash: sha256(appHash) }));
    expect(restore.apply(chunk()).result).toBe(ChunkResult.REJECT_SNAPSHOT);
    expect(fresh.height).toBe(0n);
    expect(restore.apply(chunk()).result).toBe(ChunkResult.ABORT);
  });

  /** The state as another node might cut it, and what it says of that. */
  const offerOf = (parts: readonly (readonly Entry[])[]) => {
    const chunks = parts.map((entries) => Buffer.concat([...encodeChunks(entries)]));
    const metadata = metadataOf(chunks.map((bytes) => sha256(bytes)));
    const offered = { ...snapshot, chunks: chunks.length, hash: sha256(metadata), metadata };
    const restore = new Restore(fresh);
    expect(restore.offer(RequestOfferSnapshot.fromPartial({ snapshot: offered, appHash }))).toBe(OfferResult.ACCEPT);
    const results = chunks.map(
      (bytes, index) => restore.apply(RequestApplySnapshotChunk.fromPartial({ index, chunk: bytes })).result,
    );
    return { results, restore };
  };
  const entriesOf = () => [...decodeChunk(snapshots.chunk(snapshot.height, snapshot.format, 0))];

  it("may come in many chunks, of which the state is nothing until the last is there", () => {
    const entries = entriesOf();
    const third = Math.ceil(entries.length / 3);
    const thirds = [entries.slice(0, third), entries.slice(third, 2 * third), entries.slice(2 * third)];
    offerOf([...thirds.slice(0, 2), [[Buffer.from([0]), Buffer.from("of no state")]]]);
    expect(fresh.height).toBe(0n);
    expect(offerOf(thirds).results).toEqual([ChunkResult.ACCEPT, ChunkResult.ACCEPT, ChunkResult.ACCEPT]);
    expect(fresh.height).toBe(snapshot.height);
    expect(fresh.info(RequestInfo.fromPartial({})).lastBlockAppHash).toEqual(appHash);
  });

  it.each<[string, (entries: readonly Entry[]) => readonly Entry[]]>([
    ["a key twice", ([first, ...others]) => (first === undefined ? [] : [first, first, ...others])],
    ["keys in another order", (entries) => entries.toReversed()],
    ["an empty key", (entries) => [[Buffer.alloc(0), Buffer.from("value")], ...entries]],
    ["a key that is too long", (entries) => [...entries, [Buffer.alloc(2_000, 0xff), Buffer.from("value")]]],
  ])("is refused where a chunk has %s, and the next one is taken", (_what, change) => {
    const { results, restore } = offerOf([change(entriesOf())]);
    expect(results).toEqual([ChunkResult.REJECT_SNAPSHOT]);
    restore.offer(RequestOfferSnapshot.fromPartial({ snapshot, appHash }));
    expect(restore.apply(chunk()).result).toBe(ChunkResult.ACCEPT);
  });

  it("is refused where a key comes again in a later chunk", () => {
    const entries = entriesOf();
    expect(offerOf([entries, entries.slice(-1)]).results).toEqual([ChunkResult.ACCEPT, ChunkResult.REJECT_SNAPSHOT]);
    expect(offerOf([entries]).results).toEqual([ChunkResult.ACCEPT]);
  });

  it("is refused where its metadata or its format is another", () => {
    const restore = new Restore(fresh);
    const offer = (change: Partial<Snapshot>) =>
      restore.offer(RequestOfferSnapshot.fromPartial({ snapshot: { ...snapshot, ...change }, appHash }));
    expect(offer({ format: 2 })).toBe(OfferResult.REJECT_FORMAT);
    expect(offer({ chunks: 2 })).toBe(OfferResult.REJECT);
    expect(offer({ metadata: sha256(snapshot.metadata) })).toBe(OfferResult.REJECT);
  });
});
