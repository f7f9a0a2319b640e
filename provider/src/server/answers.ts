import { once } from "node:events";
import type { handleUnaryCall } from "@grpc/grpc-js";

/** Milliseconds for which somebody waits for answers that should come at once. */
const PATIENCE = 500;

/** Follows calls until they are answered. */
export class Answers {
  #open = 0;
  #settled = new AbortController();

  track<Request, Response>(handle: handleUnaryCall<Request, Response>): handleUnaryCall<Request, Response> {
    return (call, answer) => {
      this.#open += 1;
      handle(call, (...answered) => {
        answer(...answered);
        // Once what was written has left.
        setImmediate(() => {
          this.#open -= 1;
          if (this.#open === 0) {
            this.#settled.abort();
            this.#settled = new AbortController();
          }
        });
      });
    };
  }

  /** Resolves once all that is asked now is answered, or that takes too long. Never rejects. */
  async settled(): Promise<void> {
    if (this.#open > 0) {
      const late = AbortSignal.timeout(PATIENCE);
      await once(this.#settled.signal, "abort", { signal: late }).catch(() => {});
    }
  }
}
