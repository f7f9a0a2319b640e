import {
  CommitmentProof,
  type ExistenceProof,
  HashOp,
  type InnerOp,
  LengthOp,
} from "cosmjs-types/cosmos/ics23/v1/proofs";
import { keyBytes } from "./keys";
import { type Child, type Leaf, type Page, slotsPerPage } from "./page";
import { type HashText, hashText } from "./sha256";
import { StorageError } from "./storage-error";
import { type PageReader, pageBelow, stepAt } from "./tree";

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
  const path = hashText(keyBytes(key));
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
function findLeaf(pages: PageReader, hash: HashText): Found | undefined {
  return descend(pages, ({ path }) => stepAt(hash, path.length));
}

/** A page on the way from the root. */
interface Place {
  readonly path: string;
  readonly page: Page;
}

/** The leaf whose hash is next below (-1) or above (1) the given one. */
function findNeighbour(pages: PageReader, hash: HashText, direction: 1 | -1): Found | undefined {
  // Follow the hash as far as the tree goes, then turn off at the deepest level that has something on that side.
  const levels: Place[] = [];
  for (let place = rootOf(pages); place !== undefined; ) {
    levels.push(place);
    const index = stepAt(hash, place.path.length);
    const slot = place.page.slot(index);
    if (slot?.kind === "leaf" && sideOf(slot, hash) === direction) return findLeaf(pages, hashText(keyBytes(slot.key)));
    place = slot?.kind === "child" ? below(pages, place, index, slot) : undefined;
  }
  for (const level of levels.reverse()) {
    const depth = level.path.length;
    const own = stepAt(hash, depth);
    for (let index = own + direction; index >= 0 && index < slotsPerPage; index += direction) {
      if (level.page.slot(index) === undefined) continue;
      const edge = direction === 1 ? 0 : slotsPerPage - 1;
      return descend(pages, (at) => {
        if (at.path.length < depth) return stepAt(hash, at.path.length);
        return at.path.length === depth ? index : edgeSlot(at.page, edge, direction);
      });
    }
  }
  return undefined;
}

function sideOf(leaf: Leaf, hash: HashText): 1 | -1 {
  return hashText(keyBytes(leaf.key)) > hash ? 1 : -1;
}

/** The first slot of a page that holds something, seen from one edge. */
function edgeSlot(page: Page, edge: number, direction: 1 | -1): number {
  for (let index = edge; index >= 0 && index < slotsPerPage; index += direction) {
    if (page.slot(index) !== undefined) return index;
  }
  return edge;
}

function rootOf(pages: PageReader): Place | undefined {
  const page = pages.page("");
  return page === undefined ? undefined : { path: "", page };
}

function below(pages: PageReader, { path }: Place, index: number, child: Child): Place {
  const next = path + index.toString(16);
  return { path: next, page: pageBelow(pages, next, child) };
}

function descend(pages: PageReader, step: (place: Place) => number): Found | undefined {
  const inner: InnerOp[] = [];
  for (let place = rootOf(pages); place !== undefined; ) {
    const index = step(place);
    const slot = place.page.slot(index);
    if (slot === undefined) return undefined;
    // Deeper levels come first in a proof.
    inner.unshift(...place.page.siblings(index).map(innerOp));
    if (slot.kind === "leaf") return { leaf: slot, path: inner };
    place = below(pages, place, index, slot);
  }
  return undefined;
}

function innerOp({ hash, side }: { readonly hash: HashText; readonly side: "left" | "right" }): InnerOp {
  return side === "left"
    ? { hash: HashOp.SHA256, prefix: Buffer.from(`\x01${hash}`, "latin1"), suffix: new Uint8Array() }
    : { hash: HashOp.SHA256, prefix: Uint8Array.of(1), suffix: Buffer.from(hash, "latin1") };
}
