import type { ApiError } from "@dcx/protocol";

/** An answer that is no success. `message` is for the caller and shows nothing that it may not know. */
export class Refusal extends Error {
  override readonly name = "Refusal";
  constructor(
    readonly status: number,
    readonly code: string,
    message: string,
  ) {
    super(message);
  }

  body(): ApiError {
    return { code: this.code, message: this.message };
  }
}
