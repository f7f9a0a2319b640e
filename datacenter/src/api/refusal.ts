import type { ApiError } from "@dcx/protocol";

/** design: "Handing it over" (when the chain is unreachable it serves nobody). */
export function chainUnreachable(): Refusal {
  const message = "this datacenter can't see the exchange now and serves nobody; try again";
  return new Refusal(503, "chain-unreachable", message);
}

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
