import type { Page } from "./page";

/** Height and app hash of a block. */
interface BlockId {
  readonly height: bigint;
  readonly appHash: Uint8Array;
}

/** What one write changes on the disk: what a block did, or several together. Undefined: deleted. */
export interface StateWrite {
  readonly block: BlockId;
  readonly entries: ReadonlyMap<string, Uint8Array | undefined>;
  readonly records: ReadonlyMap<string, Buffer | undefined>;
  readonly pages: ReadonlyMap<string, Page | undefined>;
}

/** What the writes come to that were added to it one after the other. */
class Together implements StateWrite {
  readonly entries = new Map<string, Uint8Array | undefined>();
  readonly records = new Map<string, Buffer | undefined>();
  readonly pages = new Map<string, Page | undefined>();

  constructor(public block: BlockId) {}

  add({ block, entries, records, pages }: StateWrite): void {
    this.block = block;
    for (const [key, value] of entries) this.entries.set(key, value);
    for (const [path, record] of records) this.records.set(path, record);
    for (const [path, page] of pages) this.pages.set(path, page);
  }
}

/**
 * Writes one after the other, without anybody waiting for it. What comes while one is under way is written together once that
 * is done, so that a slow disk is never behind by more than it writes at a time.
 */
export class WriteBehind {
  private waiting: Together | undefined;
  private writing: Promise<void> | undefined;
  private failure: { readonly reason: unknown } | undefined;

  /**
   * @param write resolves once it is on the disk; all or nothing
   * @param done called after it
   */
  constructor(
    private readonly write: (one: StateWrite) => Promise<unknown>,
    private readonly done: (one: StateWrite) => void,
  ) {}

  /** @throws what an earlier write failed with: nothing was written since */
  add(one: StateWrite): void {
    if (this.failure !== undefined) throw this.failure.reason;
    this.waiting ??= new Together(one.block);
    this.waiting.add(one);
    this.writing ??= this.work();
  }

  /** Resolves once all is on the disk. Rejects with what a write failed with. */
  async written(): Promise<void> {
    await this.writing;
    if (this.failure !== undefined) throw this.failure.reason;
  }

  private async work(): Promise<void> {
    try {
      for (let one = this.take(); one !== undefined; one = this.take()) {
        await this.write(one);
        this.done(one);
      }
    } catch (reason) {
      this.failure = { reason };
    } finally {
      this.writing = undefined;
    }
  }

  private take(): StateWrite | undefined {
    const { waiting } = this;
    this.waiting = undefined;
    return waiting;
  }
}
