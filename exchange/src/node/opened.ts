/** What a node has opened, to be closed once: the last first, and whatever goes wrong with one, all of it. */
export class Opened {
  readonly #closers: (() => unknown)[] = [];
  #closing: Promise<void> | undefined;

  /** Whether closing has begun. */
  get isClosing(): boolean {
    return this.#closing !== undefined;
  }

  push(close: () => unknown): void {
    this.#closers.push(close);
  }

  /** The same for all who ask. Rejects, once all are closed, with the first that could not be. */
  close(): Promise<void> {
    this.#closing ??= this.#closeAll();
    return this.#closing;
  }

  async #closeAll(): Promise<void> {
    const failures: unknown[] = [];
    for (const close of this.#closers.reverse()) {
      try {
        await close();
      } catch (error) {
        failures.push(error);
      }
    }
    if (failures.length > 0) throw failures[0];
  }
}
