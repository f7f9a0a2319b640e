/** What CometBFT 0.38 hashes and signs. (CometBFT: types/block.go, types/validator_set.go, types/canonical.go) */
import { createHash } from "node:crypto";
import { BinaryWriter } from "cosmjs-types/binary";
import { Timestamp } from "cosmjs-types/google/protobuf/timestamp";
import { BlockID, type Commit, type Header } from "cosmjs-types/tendermint/types/types";
import { SimpleValidator } from "cosmjs-types/tendermint/types/validator";
import { Consensus } from "cosmjs-types/tendermint/version/types";
import type { Validator } from "./answers";

const precommit = 2;

/** A validator's name in commits. */
export function addressOf(publicKey: Uint8Array): Buffer {
  return sha256(publicKey).subarray(0, 20);
}

/** A block's hash: the root over its header's encoded fields. */
export function headerHash(header: Header): Buffer {
  return merkleRoot([
    Consensus.encode(header.version).finish(),
    wrapped(Buffer.from(header.chainId)),
    header.height === 0n ? new Uint8Array() : BinaryWriter.create().uint32(8).int64(header.height).finish(),
    Timestamp.encode(header.time).finish(),
    BlockID.encode(header.lastBlockId).finish(),
    wrapped(header.lastCommitHash),
    wrapped(header.dataHash),
    wrapped(header.validatorsHash),
    wrapped(header.nextValidatorsHash),
    wrapped(header.consensusHash),
    wrapped(header.appHash),
    wrapped(header.lastResultsHash),
    wrapped(header.evidenceHash),
    wrapped(header.proposerAddress),
  ]);
}

export function validatorsHash(validators: readonly Validator[]): Buffer {
  return merkleRoot(
    validators.map(({ publicKey, power }) =>
      SimpleValidator.encode({ pubKey: { ed25519: publicKey }, votingPower: power }).finish(),
    ),
  );
}

/** The bytes that a precommit signs: CanonicalVote, with its length before it. */
export function voteSignBytes(
  chainId: string,
  { height, round, blockId }: Pick<Commit, "height" | "round" | "blockId">,
  timestamp: Timestamp,
): Uint8Array {
  const writer = BinaryWriter.create();
  writer.uint32(8).uint32(precommit);
  writer.uint32(17).sfixed64(height);
  if (round !== 0) writer.uint32(25).sfixed64(BigInt(round));
  writer.uint32(34).fork();
  writer.uint32(10).bytes(blockId.hash);
  const parts = blockId.partSetHeader;
  writer.uint32(18).fork().uint32(8).uint32(parts.total).uint32(18).bytes(parts.hash).ldelim();
  writer.ldelim();
  Timestamp.encode(timestamp, writer.uint32(42).fork()).ldelim();
  writer.uint32(50).string(chainId);
  return BinaryWriter.create().bytes(writer.finish()).finish();
}

/** RFC 6962's root; SHA-256 of nothing when there are no leaves. */
function merkleRoot(leaves: readonly Uint8Array[]): Buffer {
  return leaves.length === 0 ? sha256(new Uint8Array()) : rootOf(leaves.map((leaf) => sha256(Uint8Array.of(0), leaf)));
}

function rootOf(hashes: readonly Buffer[]): Buffer {
  const [first] = hashes;
  if (first !== undefined && hashes.length === 1) return first;
  const split = 2 ** (31 - Math.clz32(hashes.length - 1));
  return sha256(Uint8Array.of(1), rootOf(hashes.slice(0, split)), rootOf(hashes.slice(split)));
}

function sha256(...parts: readonly Uint8Array[]): Buffer {
  const hash = createHash("sha256");
  for (const part of parts) hash.update(part);
  return hash.digest();
}

function wrapped(bytes: Uint8Array): Uint8Array {
  return bytes.length === 0 ? new Uint8Array() : BinaryWriter.create().uint32(10).bytes(bytes).finish();
}
