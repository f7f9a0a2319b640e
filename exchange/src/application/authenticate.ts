import { createHash } from "node:crypto";
import { fromBech32 } from "@cosmjs/encoding";
import { SignMode } from "cosmjs-types/cosmos/tx/signing/v1beta1/signing";
import { type Account, getAccount, putAccount } from "../state/accounts";
import type { KeyValueReader, KeyValueStore } from "../state/store";
import type { BoundedCache } from "../storage/bounded-cache";
import { sha256 } from "../storage/sha256";
import { aminoDigest } from "./amino-signing";
import { EnvelopeError, EnvelopeErrorCode } from "./envelope-error";
import { verifySignature } from "./signature";
import { signDigest, type Transaction, type TransactionSigner } from "./transaction";

/** Signatures already found good, by the transaction's hash: the account numbers they were good for. */
export type SignatureCache = BoundedCache<string, string>;

/**
 * How much to look at. "sequence": a recheck, whose signatures were looked at. "key": a simulation, which has no
 * signature, and the sequence of the last committed state while others of its sender may be pending.
 */
export type SignatureCheck = "signature" | "sequence" | "key";

/** A signer's account as it is before the transaction, and its key. */
export interface AuthenticatedSigner {
  readonly account: Account;
  readonly publicKey: Uint8Array;
}

/**
 * Finds the signers' accounts and checks keys, sequences and signatures. Changes nothing.
 * @throws EnvelopeError: the first thing that is wrong
 */
export function authenticate(
  store: KeyValueReader,
  chainId: string,
  transaction: Transaction,
  addresses: readonly string[],
  check: SignatureCheck,
  cache: SignatureCache,
): AuthenticatedSigner[] {
  const signers: AuthenticatedSigner[] = [];
  if (transaction.signers.length !== addresses.length) {
    throw new EnvelopeError(
      EnvelopeErrorCode.Unauthorized,
      `wrong number of signers; expected ${addresses.length}, got ${transaction.signers.length}`,
    );
  }
  for (const [index, address] of addresses.entries()) {
    const info = transaction.signers[index];
    const account = getAccount(store, address);
    if (account === undefined) {
      throw new EnvelopeError(
        EnvelopeErrorCode.UnknownAddress,
        `account ${address} does not exist: send it tokens before it signs`,
      );
    }
    if (info === undefined || (check !== "key" && info.sequence !== account.sequence)) {
      throw new EnvelopeError(
        EnvelopeErrorCode.WrongSequence,
        `account sequence mismatch, expected ${account.sequence}, got ${info?.sequence}: incorrect account sequence`,
      );
    }
    signers.push({ account, publicKey: signingKey(account, info.publicKey, check) });
  }
  if (check === "signature") verifySignatures(chainId, transaction, signers, cache);
  return signers;
}

/** Raises the signers' sequences and keeps the keys of those that sign for the first time. */
export function recordSigners(
  store: KeyValueStore,
  addresses: readonly string[],
  signers: readonly AuthenticatedSigner[],
) {
  for (const [index, address] of addresses.entries()) {
    // Read again: paying the fee has changed one of them.
    const account = getAccount(store, address);
    const signer = signers[index];
    if (account === undefined || signer === undefined) continue;
    const publicKey = signer.publicKey.length === 0 ? account.publicKey : signer.publicKey;
    putAccount(store, {
      ...account,
      ...(publicKey === undefined ? {} : { publicKey }),
      sequence: account.sequence + 1n,
    });
  }
}

function verifySignatures(
  chainId: string,
  transaction: Transaction,
  signers: readonly AuthenticatedSigner[],
  cache: SignatureCache,
): void {
  if (transaction.signatures.length !== signers.length) {
    throw new EnvelopeError(
      EnvelopeErrorCode.NoSignatures,
      `wrong number of signatures; expected ${signers.length}, got ${transaction.signatures.length}`,
    );
  }
  // What is signed are bytes, chain and account number; the key is the account's for good.
  const name = transaction.hash.toString("latin1");
  const numbers = signers.map((one) => one.account.accountNumber).join();
  if (cache.get(name) === numbers) return;
  for (const [index, { account, publicKey }] of signers.entries()) {
    const digest = digestOf(transaction, transaction.signers[index], chainId, account);
    const signature = transaction.signatures[index];
    if (signature === undefined || !verifySignature(signature, digest, publicKey)) {
      throw new EnvelopeError(
        EnvelopeErrorCode.Unauthorized,
        `signature verification failed for ${account.address}; please verify account number (${account.accountNumber}), sequence (${account.sequence}) and chain-id (${chainId})`,
      );
    }
  }
  cache.set(name, numbers);
}

/** What one signer signs. @throws EnvelopeError where that can't be signed in the mode that the signer names */
function digestOf(
  transaction: Transaction,
  signer: TransactionSigner | undefined,
  chainId: string,
  { accountNumber }: Account,
): Buffer {
  if (signer?.mode === SignMode.SIGN_MODE_DIRECT) return signDigest(transaction, chainId, accountNumber);
  if (signer?.mode === SignMode.SIGN_MODE_LEGACY_AMINO_JSON) {
    return aminoDigest(transaction, signer.sequence, chainId, accountNumber);
  }
  throw new EnvelopeError(
    EnvelopeErrorCode.NotSupported,
    "only SIGN_MODE_DIRECT and SIGN_MODE_LEGACY_AMINO_JSON signatures are supported",
  );
}

/** The key that an account signs with. Empty in a simulation that does not name it. */
function signingKey(account: Account, given: Uint8Array | undefined, check: SignatureCheck): Uint8Array {
  if (account.publicKey !== undefined) {
    if (given !== undefined && Buffer.compare(given, account.publicKey) !== 0) {
      throw new EnvelopeError(
        EnvelopeErrorCode.InvalidPublicKey,
        `the transaction names another public key than the one of ${account.address}`,
      );
    }
    return account.publicKey;
  }
  if (given === undefined) {
    if (check === "key") return new Uint8Array();
    throw new EnvelopeError(
      EnvelopeErrorCode.InvalidPublicKey,
      `${account.address} signs for the first time: the transaction must name its public key`,
    );
  }
  const hash = createHash("ripemd160").update(sha256(given)).digest();
  if (Buffer.compare(hash, fromBech32(account.address, 256).data) !== 0) {
    throw new EnvelopeError(
      EnvelopeErrorCode.InvalidPublicKey,
      `the public key is not the one of ${account.address}: sign with that account's key`,
    );
  }
  return given;
}
