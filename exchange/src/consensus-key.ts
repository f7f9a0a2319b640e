export { consensusAddressOf } from "@dcx/protocol";

import { PubKey } from "cosmjs-types/cosmos/crypto/ed25519/keys";
import type { Any } from "cosmjs-types/google/protobuf/any";
import { encode } from "./encode";

/** The type under which the Cosmos SDK wraps a validator's key. */
const consensusKeyType = "/cosmos.crypto.ed25519.PubKey";
const consensusKeyBytes = 32;

/** The ed25519 key that a message holds; undefined: it holds none. */
export function consensusKeyOf(wrapped: Any | undefined): Uint8Array | undefined {
  if (wrapped?.typeUrl !== consensusKeyType) return undefined;
  try {
    const { key } = PubKey.decode(wrapped.value);
    return key.length === consensusKeyBytes ? key : undefined;
  } catch {
    return undefined;
  }
}

/** The key as the Cosmos SDK's messages and queries have it. */
export function wrapConsensusKey(key: Uint8Array): Any {
  return { typeUrl: consensusKeyType, value: encode(PubKey, { key }) };
}
