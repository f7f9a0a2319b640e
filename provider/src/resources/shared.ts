/** Work that is under way once for all that ask for it meanwhile, by name. */
export class Shared<T> {
  readonly #underWay = new Map<string, Promise<T>>();

  /** What `work` resolves to: this caller's, or that of whoever has begun it. */
  async ask(name: string, signal: AbortSignal, work: () => Promise<T>): Promise<T> {
    const begun = this.#underWay.get(name);
    if (begun !== undefined) {
      try {
        return await begun;
      } catch {
        // Whoever began may have been cancelled: that is no answer for the others.
        signal.throwIfAborted();
        return work();
      }
    }
    const own = work();
    this.#underWay.set(name, own);
    try {
      return await own;
    } finally {
      this.#underWay.delete(name);
    }
  }
}
