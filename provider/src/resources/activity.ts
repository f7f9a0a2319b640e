/**
 * What this process does at the moment. An entry may wait for another one that the engine has not begun, or never will:
 * at parallelism 1 nothing else comes while it waits. Whoever waits is told when nobody has done anything for a while.
 */
export class Activity {
  #busy = 0;
  #timer: NodeJS.Timeout | undefined;
  readonly #waiting = new Set<() => void>();

  /** @param patience milliseconds in which nothing is done until those who wait are told */
  constructor(readonly patience: number) {}

  /** The calling operation counts as doing something until it is disposed of. */
  begin(): Presence {
    this.#enter();
    let left: (() => void) | undefined;
    return {
      wait: (told) => {
        if (left === undefined) {
          left = told;
          this.#waiting.add(told);
          this.#leave();
        }
      },
      goOn: () => {
        if (left !== undefined) {
          this.#waiting.delete(left);
          left = undefined;
          this.#enter();
        }
      },
      [Symbol.dispose]: () => {
        if (left === undefined) {
          this.#leave();
        } else {
          this.#waiting.delete(left);
        }
      },
    };
  }

  #enter(): void {
    this.#busy += 1;
    clearTimeout(this.#timer);
  }

  #leave(): void {
    this.#busy -= 1;
    if (this.#busy === 0 && this.#waiting.size > 0) {
      clearTimeout(this.#timer);
      this.#timer = setTimeout(() => {
        for (const told of [...this.#waiting]) {
          told();
        }
      }, this.patience);
      this.#timer.unref();
    }
  }
}

export interface Presence extends Disposable {
  /** The operation only waits from now on; `told` is called when nothing else has been done for a while. */
  wait(told: () => void): void;
  /** The operation goes on: what it waited for is there. */
  goOn(): void;
}
