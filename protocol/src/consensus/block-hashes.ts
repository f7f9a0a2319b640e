/**
 * What CometBFT 0.38 hashes and signs: the exchange makes it, a light client checks it. (CometBFT: types/block.go,
 * types/validator_set.go, types/canonical.go)
 */
import { hash } from "node:crypto";
import { BinaryWriter } from "cosmjs-types/binary";
import { Timestamp } from "cosmjs-types/google/protobuf/timestamp";
import { BlockID, type Commit, type Header } from "cosmjs-types/tendermint/types/types";
import { SimpleValidator } from "cosmjs-types/tendermint/types/validator";
import { Consensus } from "cosmjs-types/tendermint/version/types";
import { merkleRoot } from "./merkle";

const precommit = 2;

/** By what the engine calls a validator: the first 20 bytes of its ed25519 key's SHA-256. */
export function consensusAddressOf(publicKey: Uint8Array): Buffer {
  return hash("sha256", publicKey, "buffer").subarray(0, 20);
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

/** The hash of a validator set, in the engine's order. */
export function validatorsHash(
  validators: readonly { readonly publicKey: Uint8Array; readonly power: bigint }[],
): Buffer {
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

function wrapped(bytes: Uint8Array): Uint8Array {
  return bytes.length === 0 ? new Uint8Array() : BinaryWriter.create().uint32(10).bytes(bytes).finish();
}
