import { generateKeyPairSync, type KeyObject, sign } from "node:crypto";
import { consensusAddressOf, headerHash, validatorsHash, voteSignBytes } from "@dcx/protocol";
import { Commit, Header } from "cosmjs-types/tendermint/types/types";
import { BlockIDFlag } from "cosmjs-types/tendermint/types/validator";
import type { HeaderSource, Validator } from "../answers";
import type { ShownBlock } from "../verify";

export const chainId = "dcx-light-1";

export interface KeyedValidator extends Validator {
  readonly key: KeyObject;
}

export function makeValidator(power = 10n): KeyedValidator {
  const { publicKey, privateKey } = generateKeyPairSync("ed25519");
  const raw = publicKey.export({ format: "der", type: "spki" }).subarray(-32);
  return { publicKey: Uint8Array.from(raw), power, key: privateKey };
}

/** A block of these validators, as its commit says; `signers` are those that signed. */
export function makeBlock(
  height: bigint,
  validators: readonly KeyedValidator[],
  nextValidators: readonly KeyedValidator[],
  {
    signers = validators,
    seconds = 1_000n + height,
    appHash = Buffer.alloc(32, 1),
  }: {
    readonly signers?: readonly KeyedValidator[];
    readonly seconds?: bigint;
    readonly appHash?: Uint8Array;
  } = {},
): ShownBlock {
  const time = { seconds, nanos: 123_456_789 };
  const header = Header.fromPartial({
    version: { block: 11n, app: 2n },
    chainId,
    height,
    time,
    lastBlockId: { hash: Buffer.alloc(32, 2), partSetHeader: { total: 1, hash: Buffer.alloc(32, 3) } },
    validatorsHash: validatorsHash(validators),
    nextValidatorsHash: validatorsHash(nextValidators),
    appHash,
  });
  const blockId = { hash: headerHash(header), partSetHeader: { total: 1, hash: Buffer.alloc(32, 4) } };
  const unsigned = Commit.fromPartial({ height, round: 1, blockId });
  const signatures = validators.map((validator) => {
    const validatorAddress = consensusAddressOf(validator.publicKey);
    if (!signers.includes(validator)) {
      return {
        blockIdFlag: BlockIDFlag.BLOCK_ID_FLAG_ABSENT,
        validatorAddress,
        timestamp: time,
        signature: Buffer.alloc(0),
      };
    }
    const signature = sign(null, voteSignBytes(chainId, unsigned, time), validator.key);
    return { blockIdFlag: BlockIDFlag.BLOCK_ID_FLAG_COMMIT, validatorAddress, timestamp: time, signature };
  });
  return { header, commit: Commit.fromPartial({ ...unsigned, signatures }), validators, nextValidators };
}

/** Serves blocks by height, and counts what is asked for. */
export function sourceOf(blocks: ReadonlyMap<bigint, ShownBlock>): HeaderSource & { readonly asked: bigint[] } {
  const asked: bigint[] = [];
  const at = (height: bigint): ShownBlock => {
    const block = blocks.get(height);
    if (block === undefined) throw new Error(`no block ${height}`);
    return block;
  };
  return {
    asked,
    signedHeader: async (height) => {
      asked.push(height);
      return at(height);
    },
    validators: async (height) => blocks.get(height)?.validators ?? at(height - 1n).nextValidators,
    newestHeight: async () => [...blocks.keys()].reduce((most, height) => (height > most ? height : most), 0n),
  };
}
