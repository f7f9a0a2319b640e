import { unlessAborted } from "@dcx/protocol";

/** Turns at something that only one may do at a time, in the order of asking. Whoever aborts while waiting leaves. */
export class Turns {
  readonly #last = new Map<string, Promise<void>>();

  async take<T>(key: string, signal: AbortSignal, work: () => Promise<T>): Promise<T> {
    const before = this.#last.get(key) ?? Promise.resolve();
    let done: () => void = () => {};
    const own = new Promise<void>((resolve) => {
      done = resolve;
    });
    const chained = before.then(() => own);
    this.#last.set(key, chained);
    try {
      await unlessAborted(signal, before);
      return await work();
    } finally {
      done();
      if (this.#last.get(key) === chained) {
        this.#last.delete(key);
      }
    }
  }
}
