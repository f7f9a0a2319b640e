/** The rules of CometBFT's light client, without where headers come from. (CometBFT: light/verifier.go) */
import { createPublicKey, verify } from "node:crypto";
import { consensusAddressOf, headerHash, validatorsHash, voteSignBytes } from "@dcx/protocol";
import type { Timestamp } from "cosmjs-types/google/protobuf/timestamp";
import type { Commit, CommitSig, Header } from "cosmjs-types/tendermint/types/types";
import { BlockIDFlag } from "cosmjs-types/tendermint/types/validator";
import type { SignedHeader, Validator } from "./answers";

/** An endpoint shows a block that does not follow from what is trusted. Nothing of it is believed. */
export class UnverifiedBlock extends Error {
  override readonly name = "UnverifiedBlock";
}

/** A block that is believed, and who may sign the next one. */
export interface TrustedBlock {
  readonly header: Header;
  readonly nextValidators: readonly Validator[];
}

export interface Trust {
  readonly chainId: string;
  /** How long validators are believed who could have left since, in ms: less than their stake stays bound. */
  readonly trustingPeriod: number;
  /** How far ahead of ours the validators' clocks may be, in ms. */
  readonly clockDrift: number;
}

/** A block as an endpoint shows it: with the validators that are said to have signed it, and those of the next one. */
export interface ShownBlock extends SignedHeader {
  readonly validators: readonly Validator[];
  readonly nextValidators: readonly Validator[];
}

/** `too-far`: the trusted validators' share in the commit is too small to skip so many blocks. */
export type Verdict = "verified" | "too-far";

/**
 * Whether a later block follows from a trusted one: more than two thirds of its own validators signed it, and these
 * are the ones that the trusted block names (the next block), or more than a third of the trusted ones signed too.
 * @param now in ms since 1970
 * @throws {UnverifiedBlock}
 */
export function verifyBlock(trusted: TrustedBlock, shown: ShownBlock, trust: Trust, now: number): Verdict {
  const { header, commit, validators } = shown;
  const named = `block ${header.height}`;
  if (millisecondsOf(trusted.header.time) + trust.trustingPeriod <= now) {
    throw new UnverifiedBlock(
      `the newest trusted block, ${trusted.header.height}, is older than the trusting period: name a newer one in chain.trust`,
    );
  }
  if (header.height <= trusted.header.height) throw new UnverifiedBlock(`${named} is not after the trusted one`);
  if (compareTimes(header.time, trusted.header.time) <= 0) {
    throw new UnverifiedBlock(`${named} is not later than the trusted block ${trusted.header.height}`);
  }
  verifyItself(shown, trust.chainId);
  if (millisecondsOf(header.time) > now + trust.clockDrift) {
    throw new UnverifiedBlock(`${named} is from the future: set this machine's clock, or the endpoint lies`);
  }
  if (header.height === trusted.header.height + 1n) {
    if (!same(header.validatorsHash, trusted.header.nextValidatorsHash)) {
      throw new UnverifiedBlock(`${named} has other validators than the block before it names`);
    }
  } else if (!isTrustedShareSigned(trust.chainId, trusted.nextValidators, commit)) {
    return "too-far";
  }
  requireSigned(trust.chainId, validators, commit);
  return "verified";
}

/**
 * Takes the block that somebody vouches for by its hash.
 * @throws {UnverifiedBlock} when what is shown is another one
 */
export function verifyNamed(hash: Uint8Array, shown: ShownBlock, chainId: string): void {
  const actual = headerHash(shown.header);
  if (!same(actual, hash)) {
    throw new UnverifiedBlock(
      `block ${shown.header.height} has the hash ${hex(actual)}, not ${hex(hash)} as chain.trust says`,
    );
  }
  verifyItself(shown, chainId);
  requireSigned(chainId, shown.validators, shown.commit);
}

/** That header, commit and validators belong together. */
function verifyItself({ header, commit, validators, nextValidators }: ShownBlock, chainId: string): void {
  const named = `block ${header.height}`;
  if (header.chainId !== chainId) throw new UnverifiedBlock(`${named} is of chain ${header.chainId}, not ${chainId}`);
  if (commit.height !== header.height) throw new UnverifiedBlock(`${named} comes with the commit of ${commit.height}`);
  if (!same(commit.blockId.hash, headerHash(header))) {
    throw new UnverifiedBlock(`${named} is not the one that its commit names`);
  }
  if (!same(header.validatorsHash, validatorsHash(validators))) {
    throw new UnverifiedBlock(`${named} comes with validators that are not its own`);
  }
  if (!same(header.nextValidatorsHash, validatorsHash(nextValidators))) {
    throw new UnverifiedBlock(`${named} comes with next validators that are not its own`);
  }
}

function requireSigned(chainId: string, validators: readonly Validator[], commit: Commit): void {
  if (commit.signatures.length !== validators.length) {
    throw new UnverifiedBlock(`the commit of block ${commit.height} is not one of its validators`);
  }
  const needed = totalPower(validators) * 2n;
  let signed = 0n;
  for (const [index, validator] of validators.entries()) {
    const signature = commit.signatures[index];
    if (signature?.blockIdFlag !== BlockIDFlag.BLOCK_ID_FLAG_COMMIT) continue;
    requireSignature(chainId, validator, commit, signature);
    signed += validator.power;
    if (signed * 3n > needed) return;
  }
  throw new UnverifiedBlock(`block ${commit.height} is not signed by more than two thirds of its validators`);
}

/** Whether more than a third of the power that was trusted before signed too. */
function isTrustedShareSigned(chainId: string, trusted: readonly Validator[], commit: Commit): boolean {
  const byAddress = new Map(trusted.map((validator) => [hex(consensusAddressOf(validator.publicKey)), validator]));
  const needed = totalPower(trusted);
  let signed = 0n;
  for (const signature of commit.signatures) {
    if (signature.blockIdFlag !== BlockIDFlag.BLOCK_ID_FLAG_COMMIT) continue;
    const address = hex(signature.validatorAddress);
    const validator = byAddress.get(address);
    if (validator === undefined) continue;
    // Each counts once, however often its signature is shown.
    byAddress.delete(address);
    requireSignature(chainId, validator, commit, signature);
    signed += validator.power;
    if (signed * 3n > needed) return true;
  }
  return false;
}

function requireSignature(chainId: string, { publicKey }: Validator, commit: Commit, signature: CommitSig): void {
  const bytes = voteSignBytes(chainId, commit, signature.timestamp);
  const valid =
    same(signature.validatorAddress, consensusAddressOf(publicKey)) &&
    publicKey.length === 32 &&
    signature.signature.length === 64 &&
    verify(null, bytes, keyOf(publicKey), signature.signature);
  if (!valid) throw new UnverifiedBlock(`the commit of block ${commit.height} holds a signature that is not valid`);
}

function keyOf(publicKey: Uint8Array) {
  const x = Buffer.from(publicKey).toString("base64url");
  return createPublicKey({ key: { kty: "OKP", crv: "Ed25519", x }, format: "jwk" });
}

function totalPower(validators: readonly Validator[]): bigint {
  return validators.reduce((sum, { power }) => sum + power, 0n);
}

/** Milliseconds since 1970. */
export function millisecondsOf({ seconds, nanos }: Timestamp): number {
  return Number(seconds) * 1000 + Math.floor(nanos / 1_000_000);
}

function compareTimes(left: Timestamp, right: Timestamp): number {
  if (left.seconds !== right.seconds) return left.seconds < right.seconds ? -1 : 1;
  return left.nanos - right.nanos;
}

function same(left: Uint8Array, right: Uint8Array): boolean {
  return Buffer.compare(left, right) === 0;
}

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("hex").toUpperCase();
}
