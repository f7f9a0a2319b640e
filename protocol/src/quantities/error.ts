/** A quantity that can't be read: says what was written, why that is refused, and what may be written instead. */
export class QuantityError extends Error {
  override readonly name = "QuantityError";
  constructor(
    /** e.g. `cpu`, `size`, `price`, `amount of tokens`. */
    readonly quantity: string,
    /** As it was written. */
    readonly written: string,
    readonly reason: string,
    readonly allowed: string,
  ) {
    super(`${JSON.stringify(written.slice(0, 80))} is not a valid ${quantity}: ${reason}; ${allowed}`);
  }
}
