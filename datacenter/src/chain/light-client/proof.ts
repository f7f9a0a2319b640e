/** Proofs about entries of the exchange's state, against the app hash in a header (exchange: `storage/proof.ts`). */
import { createHash } from "node:crypto";
import { ics23, verifyExistence, verifyNonExistence } from "@confio/ics23";

/** A node's proof does not show what the node says. */
export class ProofRefused extends Error {
  override readonly name = "ProofRefused";
}

/** A binary tree in the order of SHA-256(key); a leaf is SHA-256(0, SHA-256(key), SHA-256(value)). */
function spec(prehashKey: ics23.HashOp): ics23.IProofSpec {
  return {
    leafSpec: {
      prefix: Uint8Array.of(0),
      hash: ics23.HashOp.SHA256,
      prehashKey,
      prehashValue: ics23.HashOp.SHA256,
      length: ics23.LengthOp.NO_PREFIX,
    },
    innerSpec: {
      childOrder: [0, 1],
      minPrefixLength: 1,
      maxPrefixLength: 1,
      childSize: 32,
      hash: ics23.HashOp.SHA256,
    },
    maxDepth: 256,
  };
}
const byKey = spec(ics23.HashOp.SHA256);
/** The library compares keys as they are; the tree orders them by hash. So it is given the hashes as keys. */
const byHash = spec(ics23.HashOp.NO_HASH);

/**
 * Makes sure that the state with this root holds the key with the value, or (`value` undefined) does not hold it.
 * @throws {ProofRefused}
 */
export function verifyEntry(
  encoded: Uint8Array,
  root: Uint8Array,
  key: Uint8Array,
  value: Uint8Array | undefined,
): void {
  try {
    const proof = ics23.CommitmentProof.decode(encoded);
    if (value === undefined) verifyAbsence(proof.nonexist, root, key);
    else verifyPresence(proof.exist, root, key, value);
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new ProofRefused(`the endpoint's proof of a record does not hold: ${why}`, { cause });
  }
}

type Existence = ics23.IExistenceProof | null | undefined;

function verifyPresence(proof: Existence, root: Uint8Array, key: Uint8Array, value: Uint8Array): void {
  if (!proof) throw new Error("it is no proof that the record exists");
  requireShape(proof);
  verifyExistence(proof, byKey, root, key, value);
}

function verifyAbsence(proof: ics23.INonExistenceProof | null | undefined, root: Uint8Array, key: Uint8Array): void {
  if (!proof) throw new Error("it is no proof that the record does not exist");
  const left = hashed(proof.left);
  const right = hashed(proof.right);
  const sides = { ...(left === undefined ? {} : { left }), ...(right === undefined ? {} : { right }) };
  verifyNonExistence(sides, byHash, root, sha256(key));
}

/** The same proof for the hash of its key. */
function hashed(side: Existence): ics23.IExistenceProof | undefined {
  if (!side?.leaf || !side.key) return undefined;
  // Read one by one: what has its default is on the decoded object's prototype alone.
  const { hash, length, prefix, prehashKey, prehashValue } = side.leaf;
  if (prehashKey !== ics23.HashOp.SHA256) throw new Error("its leaf is none of this state");
  requireShape(side);
  return {
    key: sha256(side.key),
    value: side.value ?? null,
    leaf: {
      hash: hash ?? null,
      length: length ?? null,
      prefix: prefix ?? null,
      prehashKey: ics23.HashOp.NO_HASH,
      prehashValue: prehashValue ?? null,
    },
    path: side.path ?? null,
  };
}

/** Each step is a node of two children: the library lets a suffix be of any length. */
function requireShape({ path }: ics23.IExistenceProof): void {
  for (const { prefix, suffix } of path ?? []) {
    const [before, after] = [prefix?.length ?? 0, suffix?.length ?? 0];
    const isNode = prefix?.[0] === 1 && ((before === 33 && after === 0) || (before === 1 && after === 32));
    if (!isNode) throw new Error("a step of its path is no node of this state");
  }
}

function sha256(bytes: Uint8Array): Buffer {
  return createHash("sha256").update(bytes).digest();
}
