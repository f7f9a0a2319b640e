import { type RequestFinalizeBlock, ValidatorUpdate as WireUpdate } from "cosmjs-types/tendermint/abci/types";
import { BlockIDFlag } from "cosmjs-types/tendermint/types/validator";
import type { Conduct } from "../state/begin-block";
import type { ValidatorUpdate } from "../state/validators";

/** What the engine says with a block of the validators' conduct. */
export function conductOf({ decidedLastCommit, misbehavior }: RequestFinalizeBlock): Conduct {
  return {
    absent: decidedLastCommit.votes
      .filter(({ blockIdFlag }) => blockIdFlag === BlockIDFlag.BLOCK_ID_FLAG_ABSENT)
      .map(({ validator }) => validator.address),
    misbehavior: misbehavior.map(({ validator, height }) => ({ ...validator, height })),
  };
}

export function wireUpdate({ consensusKey, power }: ValidatorUpdate): WireUpdate {
  return WireUpdate.fromPartial({ pubKey: { ed25519: consensusKey }, power });
}
