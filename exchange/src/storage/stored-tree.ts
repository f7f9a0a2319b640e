import type { Database } from "lmdb";
import { BoundedCache } from "./bounded-cache";
import { pageKey, pathOf, topLevels, upperRecords } from "./keys";
import { type Child, Page } from "./page";
import { reading, StorageError } from "./storage-error";
import { bytesOf, type PageReader, type TreeUpdate } from "./tree";

/** Records of pages by path; undefined: none any more. */
export type TreeRecords = ReadonlyMap<string, Buffer | undefined>;

/**
 * The records of the tree's pages in lmdb.
 *
 * PERF: four levels of pages are in memory, some 30 MB at most. Those of the first three have no records but of their own leaves,
 * of which there are none once the state is large: they are made of the fourth's when a database is opened, where nearly
 * every block would write some of them. So among a million orders a change of a key writes three records in place of six.
 */
export class StoredTree implements PageReader {
  /** Of the first levels, and of the first that has records. */
  private readonly upper = new Map<string, Page>();
  private readonly cache: BoundedCache<string, Page>;
  /** Those whose records are not written yet; undefined: deleted. */
  private readonly unwritten = new Map<string, Page | undefined>();

  /** @param cachedPages most pages below those levels that are kept in memory */
  constructor(
    private readonly records: Database<Buffer, Buffer>,
    cachedPages: number,
  ) {
    this.cache = new BoundedCache(cachedPages, ({ count }) => count);
    this.readUpper();
  }

  page(path: string): Page | undefined {
    if (isUpper(path)) return this.upper.get(path);
    const cached = this.cache.get(path);
    if (cached !== undefined) return cached;
    if (this.unwritten.has(path)) return this.unwritten.get(path);
    const bytes = reading(() => this.records.get(pageKey(path)));
    if (bytes === undefined) return undefined;
    const page = Page.decode(bytes);
    this.cache.set(path, page);
    return page;
  }

  /** The root's hash, worked out from the pages. */
  root(): Buffer {
    return bytesOf(this.page("")?.root() ?? null);
  }

  /** The records (undefined: none any more) that an update changes, by path. To be asked before `keep`. */
  recordsOf({ pages }: TreeUpdate): TreeRecords {
    const records = new Map<string, Buffer | undefined>();
    for (const [path, page] of pages) {
      const record = recordOf(path, page);
      // Nearly always: they are written for their own leaves alone.
      if (isTop(path) && same(record, recordOf(path, this.upper.get(path)))) continue;
      records.set(path, record);
    }
    return records;
  }

  /** To be called in a transaction or a batch; what is read is as before until `keep`. */
  write(records: TreeRecords): void {
    for (const [path, record] of records) {
      if (record === undefined) void this.records.remove(pageKey(path));
      else void this.records.put(pageKey(path), record);
    }
  }

  /** Goes on from an update, which is written already or, `behind`, will be: then `settle` is to be told. */
  keep({ pages }: TreeUpdate, when: "written" | "behind"): void {
    for (const [path, page] of pages) {
      const kept = isUpper(path) ? this.upper : this.cache;
      if (page === undefined) kept.delete(path);
      else kept.set(path, page);
      if (when === "behind" && !isUpper(path)) this.unwritten.set(path, page);
    }
  }

  /** Of these pages the records are written: those of a path that has no newer one need not be kept any more. */
  settle(pages: TreeUpdate["pages"]): void {
    for (const [path, page] of pages) {
      if (this.unwritten.get(path) === page) this.unwritten.delete(path);
    }
  }

  /** Forgets what is in memory, and begins with what is stored. */
  reset(): void {
    this.cache.clear();
    this.readUpper();
  }

  private readUpper(): void {
    this.upper.clear();
    reading(() => {
      for (const { key, value } of this.records.getRange(upperRecords)) this.upper.set(pathOf(key), Page.decode(value));
    });
    for (let depth = topLevels; depth > 0; depth--) {
      for (const [path, page] of [...this.upper].filter(([{ length }]) => length === depth)) {
        const above = path.slice(0, -1);
        const parent = this.upper.get(above) ?? new Page();
        parent.setSlot(Number.parseInt(path.slice(-1), 16), childOf(path, page));
        this.upper.set(above, parent);
      }
    }
  }
}

function isUpper(path: string): boolean {
  return path.length <= topLevels;
}

/** Whether what is below the page is told by records of others. */
function isTop(path: string): boolean {
  return path.length < topLevels;
}

function childOf(path: string, page: Page): Child {
  const hash = page.root();
  if (hash === null) throw new StorageError(`the state tree's page ${path} is empty: the database is damaged`);
  return { kind: "child", hash, size: page.size };
}

/** Whether anything is stored of a page that is not part of another one's record. */
export function hasRecord(path: string, page: Page): boolean {
  return recordOf(path, page) !== undefined;
}

/** What is stored of a page: of the first levels what no other record tells. */
function recordOf(path: string, page: Page | undefined): Buffer | undefined {
  if (page === undefined || !isTop(path)) return page?.encode();
  const own = page.encodeOwn();
  return own.length === 0 ? undefined : own;
}

function same(one: Buffer | undefined, other: Buffer | undefined): boolean {
  return one === undefined ? other === undefined : other !== undefined && one.equals(other);
}
