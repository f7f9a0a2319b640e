import type { TreeUpdate } from "./tree";

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
  readonly pages: TreeUpdate["pages"];
}

/** As if the later one were written right after the earlier. */
function together(earlier: StateWrite, later: StateWrite): StateWrite {
  return {
    block: later.block,
    entries: new Map([...earlier.entries, ...later.entries]),
    records: new Map([...earlier.records, ...later.records]),
    pages: new Map([...earlier.pages, ...later.pages]),
  };
}

/**
 * Writes one after the other, without anybody waiting for it. What comes while one is under way is written together once that
 * is done, so that a slow disk is never behind by more than it writes at a time.
 */
export class WriteBehind {
  private waiting: StateWrite | undefined;
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
    this.waiting = this.waiting === undefined ? one : together(this.waiting, one);
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
