/** Where refusals are told of. */
export interface RefusalLogger {
  warn(details: object, message: string): void;
}

/** What a line says: at least from where. */
export interface RefusalDetails {
  readonly from: string | undefined;
  readonly [other: string]: unknown;
}

/** Lines of refusals in one period; more would let strangers fill the disk. */
const mostLines = 20;
const period = 1_000;

/** Logs who was refused and why: so many a second, and then how many more there were. */
export class Refusals {
  readonly #logger: RefusalLogger;
  #since = Number.NEGATIVE_INFINITY;
  #lines = 0;
  #leftOut = 0;

  constructor(logger: RefusalLogger) {
    this.#logger = logger;
  }

  /** @param details from where, and why */
  log(details: RefusalDetails, message: string): void {
    const now = performance.now();
    if (now - this.#since >= period) {
      if (this.#leftOut > 0) this.#logger.warn({ count: this.#leftOut }, "as many more refusals were not logged");
      this.#since = now;
      this.#lines = 0;
      this.#leftOut = 0;
    }
    if (this.#lines < mostLines) {
      this.#lines += 1;
      this.#logger.warn(details, message);
    } else {
      this.#leftOut += 1;
    }
  }
}
