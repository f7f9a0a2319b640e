import {
  CommitmentProof,
  type ExistenceProof,
  HashOp,
  type InnerOp,
  LengthOp,
} from "cosmjs-types/cosmos/ics23/v1/proofs";
import { keyBytes } from "./keys";
import type { Leaf } from "./page";
import { sha256 } from "./sha256";
import { StorageError } from "./storage-error";
import type { PageReader } from "./tree";

/** The type of the proof operation in an ABCI query's answer. */
export const proofType = "ics23:dcx";

const leafOp = {
  hash: HashOp.SHA256,
  prehashKey: HashOp.SHA256,
  prehashValue: HashOp.SHA256,
  length: LengthOp.NO_PREFIX,
  prefix: Uint8Array.of(0),
};

interface Found {
  readonly leaf: Leaf;
  readonly path: InnerOp[];
}

/**
 * Proves that the committed tree holds the key with its value, or, by the key's neighbours in the order of
 * SHA-256(key), that it does not hold it. Verifiers hash keys before they compare them (ics23:
 * prehash_key_before_comparison); one that can't replaces each key by its hash and the leaf's prehashKey by none.
 */
export function proveKey(
  pages: PageReader,
  read: (key: string) => Uint8Array | undefined,
  key: string,
): CommitmentProof {
  const path = sha256(keyBytes(key)).toString("hex");
  const found = findLeaf(pages, path);
  if (found !== undefined && found.leaf.key === key) {
    return CommitmentProof.fromPartial({ exist: existence(found, read) });
  }
  const left = findNeighbour(pages, path, -1);
  const right = findNeighbour(pages, path, 1);
  return CommitmentProof.fromPartial({
    nonexist: {
      key: keyBytes(key),
      ...(left === undefined ? {} : { left: existence(left, read) }),
      ...(right === undefined ? {} : { right: existence(right, read) }),
    },
  });
}

function existence(found: Found, read: (key: string) => Uint8Array | undefined): ExistenceProof {
  const value = read(found.leaf.key);
  if (value === undefined)
    throw new StorageError("the state tree has a leaf whose entry is missing: the database is damaged");
  return { key: keyBytes(found.leaf.key), value, leaf: leafOp, path: found.path };
}

/** The leaf at the end of the hash's path, whatever its key. */
function findLeaf(pages: PageReader, hash: string): Found | undefined {
  return descend(pages, (path) => stepOf(hash, path));
}

/** The leaf whose hash is next below (-1) or above (1) the given one. */
function findNeighbour(pages: PageReader, hash: string, direction: 1 | -1): Found | undefined {
  // Follow the hash as far as the tree goes, then turn off at the deepest level that has something on that side.
  const levels: string[] = [];
  let path = "";
  for (;;) {
    levels.push(path);
    const slot = pages.page(path)?.slot(stepOf(hash, path));
    if (slot?.kind !== "child") {
      if (slot !== undefined && sideOf(slot, hash) === direction) {
        return findLeaf(pages, sha256(keyBytes(slot.key)).toString("hex"));
      }
      break;
    }
    path += hash.charAt(path.length);
  }
  for (const level of levels.reverse()) {
    const page = pages.page(level);
    const own = stepOf(hash, level);
    for (let index = own + direction; index >= 0 && index < 16; index += direction) {
      if (page?.slot(index) === undefined) continue;
      const edge = direction === 1 ? 0 : 15;
      return descend(pages, (at) => {
        if (at.length < level.length) return stepOf(hash, at);
        return at.length === level.length ? index : edgeSlot(pages, at, edge, direction);
      });
    }
  }
  return undefined;
}

function stepOf(hash: string, path: string): number {
  return Number.parseInt(hash.charAt(path.length), 16);
}

function sideOf(leaf: Leaf, hash: string): 1 | -1 {
  return sha256(keyBytes(leaf.key)).toString("hex") > hash ? 1 : -1;
}

/** The first slot of a page that holds something, seen from one edge. */
function edgeSlot(pages: PageReader, path: string, edge: number, direction: 1 | -1): number {
  const page = pages.page(path);
  for (let index = edge; index >= 0 && index < 16; index += direction) {
    if (page?.slot(index) !== undefined) return index;
  }
  return edge;
}

function descend(pages: PageReader, step: (path: string) => number): Found | undefined {
  const inner: InnerOp[] = [];
  let path = "";
  for (;;) {
    const page = pages.page(path);
    if (page === undefined) return undefined;
    const index = step(path);
    const slot = page.slot(index);
    if (slot === undefined) return undefined;
    // Deeper levels come first in a proof.
    inner.unshift(...page.siblings(index).map(innerOp));
    if (slot.kind === "leaf") return { leaf: slot, path: inner };
    path += index.toString(16);
  }
}

function innerOp(sibling: { readonly hash: Buffer; readonly side: "left" | "right" }): InnerOp {
  return sibling.side === "left"
    ? { hash: HashOp.SHA256, prefix: Buffer.concat([Uint8Array.of(1), sibling.hash]), suffix: new Uint8Array() }
    : { hash: HashOp.SHA256, prefix: Uint8Array.of(1), suffix: sibling.hash };
}
