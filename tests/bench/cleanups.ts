/**
 * What has to be undone: by whoever did it when it is done with it, and at the latest when the command is interrupted.
 * Each is undone once.
 */
export class Cleanups {
  private readonly pending = new Set<() => Promise<void>>();

  /** Returns how to undo it now. */
  add(undo: () => void | Promise<void>): () => Promise<void> {
    const once = async (): Promise<void> => {
      if (this.pending.delete(once)) {
        await undo();
      }
    };
    this.pending.add(once);
    return once;
  }

  /** Undoes all that is left, the latest first, and goes on where one fails. */
  async all(): Promise<void> {
    for (const undo of [...this.pending].reverse()) {
      await undo().catch((error: unknown) => process.stderr.write(`${String(error)}\n`));
    }
  }
}
