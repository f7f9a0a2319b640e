import { restartDelays } from "../restart-delays";

/** When what was lost is to be started again: each time later, and soon again once it has lasted. Times in milliseconds. */
export class Losses {
  readonly #last = new Map<string, { readonly at: number; readonly delay: number }>();

  /**
   * Whether it is time to start `id` again, which is lost. Where it says yes it takes it that it is done.
   * @param now of a clock that nobody sets
   */
  due(id: string, now: number): boolean {
    const { first, most, settled } = restartDelays;
    const last = this.#last.get(id);
    if (last !== undefined && now < last.at + last.delay) return false;
    const lasted = last === undefined || now >= last.at + last.delay + settled;
    this.#last.set(id, { at: now, delay: lasted ? first : Math.min(last.delay * 2, most) });
    return true;
  }

  forget(id: string): void {
    this.#last.delete(id);
  }
}
