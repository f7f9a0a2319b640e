import { PubKey } from "cosmjs-types/cosmos/crypto/secp256k1/keys";
import { SignMode } from "cosmjs-types/cosmos/tx/signing/v1beta1/signing";
import { AuthInfo, type Fee, SignDoc, TxBody, TxRaw } from "cosmjs-types/cosmos/tx/v1beta1/tx";
import { type Encoder, encode, isEncodingOf } from "../encode";
import { sha256 } from "../storage/sha256";
import { EnvelopeError, EnvelopeErrorCode } from "./envelope-error";

/** A message as it travels: the type's URL and the encoded value. */
export interface EncodedMessage {
  readonly typeUrl: string;
  readonly value: Uint8Array;
}

export interface TransactionSigner {
  /** 33 bytes; absent: the one on the account. */
  readonly publicKey: Uint8Array | undefined;
  readonly mode: SignMode;
  readonly sequence: bigint;
}

/** A transaction, decoded once and used in every step after. */
export interface Transaction {
  readonly size: number;
  /** SHA-256 of the bytes: the name by which everybody looks it up. */
  readonly hash: Buffer;
  readonly bodyBytes: Uint8Array;
  readonly authInfoBytes: Uint8Array;
  readonly signatures: readonly Uint8Array[];
  readonly messages: readonly EncodedMessage[];
  readonly memo: string;
  /** Last height at which it counts; 0: no end. */
  readonly timeoutHeight: bigint;
  readonly signers: readonly TransactionSigner[];
  readonly fee: Fee | undefined;
}

const secp256k1KeyType = "/cosmos.crypto.secp256k1.PubKey";
const noBytes = new Uint8Array();

/**
 * Decodes a Cosmos transaction.
 * @throws EnvelopeError when it can't be decoded, is encoded in another than the canonical way (ADR-27: that also
 * finds fields which we don't know, critical or not, so that nobody signs what the chain ignores), or asks for what
 * this chain does not do.
 */
export function decodeTransaction(bytes: Uint8Array): Transaction {
  const hash = sha256(bytes);
  let raw: TxRaw;
  let body: TxBody;
  let authInfo: AuthInfo;
  try {
    raw = TxRaw.decode(bytes);
    body = TxBody.decode(raw.bodyBytes);
    authInfo = AuthInfo.decode(raw.authInfoBytes);
  } catch (error) {
    throw new EnvelopeError(EnvelopeErrorCode.Undecodable, `tx parse error: ${describe(error)}`, { cause: error });
  }
  requireCanonical("transaction", bytes, TxRaw, raw);
  requireCanonical("body", raw.bodyBytes, TxBody, body);
  requireCanonical("auth info", raw.authInfoBytes, AuthInfo, authInfo);
  if (body.extensionOptions.length + body.nonCriticalExtensionOptions.length > 0) {
    throw new EnvelopeError(EnvelopeErrorCode.UnknownExtension, "unknown extension options: this chain has none");
  }
  if (body.unordered || body.timeoutTimestamp !== undefined) {
    throw new EnvelopeError(
      EnvelopeErrorCode.NotSupported,
      "unordered transactions and timeout timestamps are not supported: use a sequence and a timeout height",
    );
  }
  if (authInfo.tip !== undefined) throw new EnvelopeError(EnvelopeErrorCode.NotSupported, "tips are not supported");
  return {
    size: bytes.length,
    hash,
    bodyBytes: raw.bodyBytes,
    authInfoBytes: raw.authInfoBytes,
    signatures: raw.signatures,
    messages: body.messages,
    memo: body.memo,
    timeoutHeight: body.timeoutHeight,
    signers: authInfo.signerInfos.map((info) => ({
      publicKey: info.publicKey === undefined ? undefined : decodeKey(info.publicKey),
      mode: info.modeInfo?.single?.mode ?? SignMode.SIGN_MODE_UNSPECIFIED,
      sequence: info.sequence,
    })),
    fee: authInfo.fee,
  };
}

/** The digest that a signer of a SIGN_MODE_DIRECT transaction signs: SHA-256 of the encoded SignDoc. */
export function signDigest(transaction: Transaction, chainId: string, accountNumber: bigint): Buffer {
  const { bodyBytes, authInfoBytes } = transaction;
  return sha256(encode(SignDoc, { bodyBytes, authInfoBytes, chainId, accountNumber }));
}

/**
 * A transaction of the facilitator's part: one message, no signature, no fee. The height keeps the hashes of two
 * attempts at the same thing apart.
 */
export function encodeFacilitatorTransaction(message: EncodedMessage, height: bigint): Uint8Array {
  const body = encode(TxBody, TxBody.fromPartial({ messages: [message], timeoutHeight: height }));
  return encode(TxRaw, { bodyBytes: body, authInfoBytes: noBytes, signatures: [] });
}

function decodeKey(key: EncodedMessage): Uint8Array {
  if (key.typeUrl !== secp256k1KeyType) {
    throw new EnvelopeError(
      EnvelopeErrorCode.InvalidPublicKey,
      `public keys of type ${JSON.stringify(key.typeUrl)} are not supported: sign with ${secp256k1KeyType}`,
    );
  }
  let bytes: Uint8Array;
  try {
    bytes = PubKey.decode(key.value).key;
  } catch (error) {
    throw new EnvelopeError(EnvelopeErrorCode.InvalidPublicKey, `public key: ${describe(error)}`, { cause: error });
  }
  if (bytes.length !== 33) {
    throw new EnvelopeError(
      EnvelopeErrorCode.InvalidPublicKey,
      `public key: ${bytes.length} bytes, not the 33 of a compressed secp256k1 key`,
    );
  }
  requireCanonical("public key", key.value, PubKey, { key: bytes });
  return bytes;
}

function requireCanonical<Message>(what: string, bytes: Uint8Array, codec: Encoder<Message>, message: Message): void {
  if (!isEncodingOf(bytes, codec, message)) {
    throw new EnvelopeError(
      EnvelopeErrorCode.Undecodable,
      `tx parse error: the ${what} has unknown fields or is not encoded canonically (ADR-27)`,
    );
  }
}

function describe(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
