/** Lets so many run at a time; others wait for their turn. */
export class Slots {
  readonly #queue: (() => void)[] = [];
  #taken = 0;

  constructor(private readonly most: number) {}

  async run<T>(run: () => Promise<T>): Promise<T> {
    if (this.#taken >= this.most) await new Promise<void>((resolve) => this.#queue.push(resolve));
    else this.#taken += 1;
    try {
      return await run();
    } finally {
      const next = this.#queue.shift();
      if (next === undefined) this.#taken -= 1;
      else next();
    }
  }
}
