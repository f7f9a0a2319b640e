/**
 * The authenticated tree behind the app hash.
 *
 * It is the binary tree over SHA-256(key) that branches only where keys differ (a Patricia trie), so its shape
 * depends on the set of keys alone, not on the order of insertion: nothing of the state machine's order of writes
 * can fork the chain. Hashes follow ics23: a leaf is SHA-256(0x00 | SHA-256(key) | SHA-256(value)), an inner node
 * SHA-256(0x01 | left | right). There are no placeholders, so that absence is proved by two neighbours with any
 * ics23 library. Four levels lie in one page; a page is kept under the half-bytes that lead to it and overwritten
 * in the transaction of the block that changes it, so there are no old versions to prune. An IAVL tree would need
 * rotations, versions and their pruning for the same promises.
 *
 * PERF: a block costs O(changed keys × log keys) hashes and O(changed keys × log16 keys) pages read and written.
 */
import { keyBytes } from "./keys";
import { type Child, type Leaf, Page } from "./page";
import { sha256 } from "./sha256";
import { StorageError } from "./storage-error";

/** Where the committed pages are: the empty path is the root's. */
export interface PageReader {
  page(path: string): Page | undefined;
}

/** The pages that a batch of changes replaces (undefined: deletes), and the root that they lead to. */
export interface TreeUpdate {
  readonly root: Buffer;
  readonly pages: ReadonlyMap<string, Page | undefined>;
}

/** The root of a tree with nothing in it. */
export const emptyRoot = Buffer.alloc(32);

interface Change {
  readonly key: string;
  /** SHA-256 of the key, in hexadecimal: one character is one step down the pages. */
  readonly path: string;
  readonly leaf: Leaf | undefined;
}

const leafBuffer = Buffer.alloc(65);

/** The hash that stands for a key and its value. */
export function leafHash(keyHash: Buffer, value: Uint8Array): Buffer {
  const valueHash = sha256(value);
  leafBuffer[0] = 0;
  keyHash.copy(leafBuffer, 1);
  valueHash.copy(leafBuffer, 33);
  return sha256(leafBuffer);
}

/** Works out what the changes (undefined: delete) make of the committed tree, without touching it. */
export function updateTree(
  committed: PageReader,
  changes: Iterable<readonly [key: string, value: Uint8Array | undefined]>,
): TreeUpdate {
  const list: Change[] = [];
  for (const [key, value] of changes) {
    const keyHash = sha256(keyBytes(key));
    const leaf: Leaf | undefined =
      value === undefined ? undefined : { kind: "leaf", key, hash: leafHash(keyHash, value) };
    list.push({ key, path: keyHash.toString("hex"), leaf });
  }
  const pages = new Map<string, Page | undefined>();
  const root = change(committed, pages, "", committed.page("") ?? new Page(), list);
  pages.set("", root);
  return { root: root.root() ?? emptyRoot, pages };
}

/** Applies the changes, all of whose paths begin with the page's, to a copy of the page. */
function change(
  committed: PageReader,
  pages: Map<string, Page | undefined>,
  path: string,
  before: Page,
  changes: readonly Change[],
): Page {
  const page = before.copy();
  const depth = path.length;
  for (const [index, group] of groupByStep(changes, depth)) {
    const slot = page.slot(index);
    const below = path + index.toString(16);
    if (slot?.kind === "child") {
      const childBefore = committed.page(below);
      if (childBefore === undefined)
        throw new StorageError(`the state tree lacks its page ${below}: the database is damaged`);
      page.setSlot(index, settle(pages, below, change(committed, pages, below, childBefore, group)));
    } else {
      page.setSlot(index, fill(committed, pages, below, slot, group));
    }
  }
  return page;
}

/** What a slot that held at most one leaf holds after the changes. */
function fill(
  committed: PageReader,
  pages: Map<string, Page | undefined>,
  below: string,
  slot: Leaf | undefined,
  group: readonly Change[],
): Leaf | Child | undefined {
  const put = group.filter((one) => one.leaf !== undefined);
  if (slot !== undefined && !group.some((one) => one.key === slot.key)) {
    put.push({ key: slot.key, path: sha256(keyBytes(slot.key)).toString("hex"), leaf: slot });
  }
  if (put.length <= 1) return put[0]?.leaf;
  return settle(pages, below, change(committed, pages, below, new Page(), put));
}

/** Keeps a page that holds more than a leaf; else the leaf moves up, so that the shape is the keys' alone. */
function settle(pages: Map<string, Page | undefined>, path: string, page: Page): Leaf | Child | undefined {
  const single = page.single();
  if (single !== undefined) {
    pages.set(path, undefined);
    return single === "empty" ? undefined : single;
  }
  pages.set(path, page);
  return { kind: "child", hash: page.root() ?? emptyRoot };
}

// The code of "a" less ten.
const letterOffset = 87;

function groupByStep(changes: readonly Change[], depth: number): Map<number, Change[]> {
  const groups = new Map<number, Change[]>();
  for (const one of changes) {
    const code = one.path.charCodeAt(depth);
    const step = code < letterOffset ? code - 48 : code - letterOffset;
    const group = groups.get(step);
    if (group === undefined) groups.set(step, [one]);
    else group.push(one);
  }
  return groups;
}
