/**
 * The authenticated tree behind the app hash.
 *
 * It is the binary tree over SHA-256(key) that branches only where keys differ (a Patricia trie), so its shape
 * depends on the set of keys alone, not on the order of insertion: nothing of the state machine's order of writes
 * can fork the chain. Hashes follow ics23: a leaf is SHA-256(0x00 | SHA-256(key) | SHA-256(value)), an inner node
 * SHA-256(0x01 | left | right). There are no placeholders, so that absence is proved by two neighbours with any
 * ics23 library. An IAVL tree would need rotations, versions and their pruning for the same promises.
 *
 * Four levels make a page. How pages lie in records is theirs that store them: a page that fits a record with all that
 * is below it is in one, and any other in one of its own (`page.ts`); so the records depend on the set of keys alone, too. They
 * are overwritten in the transaction of the block that changes them: there are no old versions to prune.
 *
 * PERF: a block costs O(changed keys × log keys) hashes and O(changed keys × log16 keys) records read and written.
 */
import { keyBytes } from "./keys";
import { type Child, type Leaf, Page, slotsPerPage } from "./page";
import { type HashText, hashText } from "./sha256";
import { StorageError } from "./storage-error";

/**
 * Where the committed pages are that have records of their own, by the half-bytes that lead to them in hexadecimal: the
 * empty path is the root's.
 */
export interface PageReader {
  page(path: string): Page | undefined;
}

/** The pages in records of their own that a batch of changes replaces (undefined: deletes), and the root that they lead to. */
export interface TreeUpdate {
  readonly root: Buffer;
  readonly pages: ReadonlyMap<string, Page | undefined>;
}

/** The root of a tree with nothing in it. */
export const emptyRoot = Buffer.alloc(32);

interface Change {
  readonly key: string;
  /** SHA-256 of the key: each half of a byte is one step down the pages. */
  readonly path: HashText;
  readonly leaf: Leaf | undefined;
}

const leafBuffer = Buffer.alloc(65);

/** The hash that stands for a key and its value. */
export function leafHash(keyHash: HashText, value: Uint8Array): HashText {
  leafBuffer.write(keyHash, 1, "latin1");
  leafBuffer.write(hashText(value), 33, "latin1");
  return hashText(leafBuffer);
}

/**
 * A value as the tree holds it: ics23 knows no empty values, and a zero byte is the beginning of no protobuf message: it
 * stands for them.
 */
export function provable(value: Uint8Array): Uint8Array {
  return value.length === 0 ? Uint8Array.of(0) : value;
}

/** Works out what the changes (undefined: delete), one for each key, make of the committed tree, without touching it. */
export function updateTree(
  committed: PageReader,
  changes: Iterable<readonly [key: string, value: Uint8Array | undefined]>,
): TreeUpdate {
  const list: Change[] = [];
  for (const [key, value] of changes) {
    const path = hashText(keyBytes(key));
    list.push({
      key,
      path,
      leaf: value === undefined ? undefined : { kind: "leaf", key, hash: leafHash(path, value) },
    });
  }
  list.sort(byPath);
  const pages = new Map<string, Page | undefined>();
  const root = change(committed, pages, "", committed.page("") ?? new Page(), list, 0, list.length);
  pages.set("", root);
  return { root: bytesOf(root.root()), pages };
}

/** The root's hash as bytes. */
export function bytesOf(root: HashText | null): Buffer {
  return root === null ? emptyRoot : Buffer.from(root, "latin1");
}

function byPath(one: Change, other: Change): number {
  return one.path < other.path ? -1 : 1;
}

/** The step that a path takes at this depth: 0 to 15. */
export function stepAt(path: HashText, depth: number): number {
  const byte = path.charCodeAt(depth >> 1);
  return depth & 1 ? byte & 15 : byte >> 4;
}

/** The page that a slot of the page above leads to. @throws StorageError where it is not there */
export function pageBelow(pages: PageReader, path: string, child: Child): Page {
  const page = child.page ?? pages.page(path);
  if (page === undefined) throw new StorageError(`the state tree lacks its page ${path}: the database is damaged`);
  return page;
}

/** Applies the changes from `start` up to `end`, all of whose paths begin with the page's, to a copy of the page. */
function change(
  committed: PageReader,
  pages: Map<string, Page | undefined>,
  path: string,
  before: Page,
  changes: readonly Change[],
  start: number,
  end: number,
): Page {
  const page = before.copy();
  const depth = path.length;
  // They are in the order of their paths: those of one slot lie together.
  for (let from = start; from < end; ) {
    const index = stepOf(changes, from, depth);
    let to = from + 1;
    while (to < end && stepOf(changes, to, depth) === index) to++;
    const slot = page.slot(index);
    const below = path + index.toString(16);
    if (slot?.kind === "child") {
      const childBefore = pageBelow(committed, below, slot);
      if (slot.page === undefined) pages.set(below, undefined);
      page.setSlot(index, settle(pages, below, change(committed, pages, below, childBefore, changes, from, to)));
    } else {
      page.setSlot(index, fill(committed, pages, below, slot, changes.slice(from, to)));
    }
    from = to;
  }
  spread(committed, pages, path, page);
  return page;
}

/** Takes what is below a page into its record where all of it fits, and moves it to records of its own where it does not. */
function spread(committed: PageReader, pages: Map<string, Page | undefined>, path: string, page: Page): void {
  const { fits } = page;
  for (let index = 0; index < slotsPerPage; index++) {
    const slot = page.slot(index);
    if (slot === undefined || slot.kind === "leaf" || (slot.page !== undefined) === fits) continue;
    const below = path + index.toString(16);
    const { kind, hash, size } = slot;
    if (slot.page === undefined) {
      page.setSlot(index, { kind, hash, size, page: pageBelow(committed, below, slot) });
      pages.set(below, undefined);
    } else {
      page.setSlot(index, { kind, hash, size });
      pages.set(below, slot.page);
    }
  }
}

function stepOf(changes: readonly Change[], at: number, depth: number): number {
  const one = changes[at];
  if (one === undefined) throw new RangeError(`no change ${at} of ${changes.length}`);
  return stepAt(one.path, depth);
}

/** What a slot that held at most one leaf holds after the changes. */
function fill(
  committed: PageReader,
  pages: Map<string, Page | undefined>,
  below: string,
  slot: Leaf | undefined,
  changes: readonly Change[],
): Leaf | Child | undefined {
  const put = changes.filter((one) => one.leaf !== undefined);
  if (slot !== undefined && !changes.some((one) => one.key === slot.key)) {
    put.push({ key: slot.key, path: hashText(keyBytes(slot.key)), leaf: slot });
    put.sort(byPath);
  }
  if (put.length <= 1) return put[0]?.leaf;
  return settle(pages, below, change(committed, pages, below, new Page(), put, 0, put.length));
}

/**
 * Keeps a page that holds more than a leaf; else the leaf moves up, so that the shape is the keys' alone. Where a page that
 * fits a record goes is for the page above it to say (`spread`).
 */
function settle(pages: Map<string, Page | undefined>, path: string, page: Page): Leaf | Child | undefined {
  const single = page.single();
  if (single !== undefined) return single === "empty" ? undefined : single;
  const hash = page.root();
  if (hash === null) throw new StorageError(`the state tree's page ${path} is empty`);
  const { size } = page;
  if (page.fits) return { kind: "child", hash, size, page };
  pages.set(path, page);
  return { kind: "child", hash, size };
}
