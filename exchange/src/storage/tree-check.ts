import { keyBytes } from "./keys";
import { type Child, type Leaf, Page, slotsPerPage } from "./page";
import { type HashText, hashText } from "./sha256";
import { hasRecord } from "./stored-tree";
import { bytesOf, leafHash, type PageReader, provable } from "./tree";

/** What was met on the way through a tree. */
export interface TreeCheck {
  /** That the entries of its leaves lead to. */
  readonly root: Buffer;
  readonly leaves: number;
  readonly records: number;
  /** A sentence for each page that is not what the entries lead to. */
  readonly problems: readonly string[];
}

/**
 * Works a tree out again, from the entries that its leaves name: their hashes, those of all nodes, the shape, and what
 * lies in which record. An entry that is in no leaf is told by the number of leaves alone.
 * PERF: O(state) time; memory holds one page of each level.
 */
export function checkTree(pages: PageReader, read: (key: string) => Uint8Array | undefined): TreeCheck {
  const walk = new Walk(pages, read);
  const root = pages.page("");
  const hash = root === undefined ? null : walk.inRecord("", root).root();
  const { leaves, records, problems } = walk;
  return { root: bytesOf(hash), leaves, records, problems };
}

class Walk {
  leaves = 0;
  records = 0;
  readonly problems: string[] = [];

  constructor(
    private readonly pages: PageReader,
    private readonly read: (key: string) => Uint8Array | undefined,
  ) {}

  /** The page at the beginning of a record as it should be. */
  inRecord(path: string, stored: Page): Page {
    if (hasRecord(path, stored)) this.records++;
    return this.actual(path, stored);
  }

  /** The page as it should be; says where it is not. */
  private actual(path: string, stored: Page): Page {
    const page = new Page();
    let right = true;
    for (let index = 0; index < slotsPerPage; index++) {
      const slot = stored.slot(index);
      if (slot === undefined) continue;
      const below = path + index.toString(16);
      const actual = slot.kind === "leaf" ? this.leaf(below, slot) : this.child(below, slot);
      right &&= actual?.hash === slot.hash && (slot.kind === "leaf" || inItsPlace(slot, actual, stored));
      page.setSlot(index, actual);
    }
    if (!right || stored.root() !== page.root())
      this.problems.push(`tree: the page at "${path}" is not what the entries lead to`);
    return page;
  }

  private leaf(path: string, { key }: Leaf): Leaf | undefined {
    this.leaves++;
    const hash = hashText(keyBytes(key));
    const value = this.read(key);
    if (value === undefined || !hexOf(hash).startsWith(path)) return undefined;
    return { kind: "leaf", key, hash: leafHash(hash, provable(value)) };
  }

  private child(path: string, child: Child): Child | undefined {
    const stored = child.page ?? this.pages.page(path);
    if (stored === undefined) return undefined;
    const page = child.page === undefined ? this.inRecord(path, stored) : this.actual(path, stored);
    const hash = page.root();
    return hash === null || stored.single() !== undefined ? undefined : { kind: "child", hash, size: stored.size };
  }
}

function inItsPlace(child: Child, actual: Child | Leaf, above: Page): boolean {
  return actual.kind === "child" && actual.size === child.size && (child.page !== undefined) === above.fits;
}

function hexOf(hash: HashText): string {
  return Buffer.from(hash, "latin1").toString("hex");
}
