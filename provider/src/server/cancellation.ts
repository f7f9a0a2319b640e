import { LONGEST_TIMER } from "../await/wait";

/** Why a request's signal aborted. */
export type AbortCause = "cancelled" | "timeout" | "engine-gone";

export class RequestAborted extends Error {
  override readonly name: string;
  constructor(override readonly cause: AbortCause) {
    super(
      {
        cancelled: "The engine cancelled this operation.",
        timeout: "The time that this operation may take is over.",
        "engine-gone": "The Pulumi engine that asked for this is gone.",
      }[cause],
    );
    // The name by which the platform tells a time that is over from everything else that aborts.
    this.name = cause === "timeout" ? "TimeoutError" : "AbortError";
  }
}

export interface RequestSignal extends Disposable {
  readonly signal: AbortSignal;
}

/**
 * The signals of requests: aborted by Cancel, by the request's own time and by the end of the engine. Guarantees:
 * Cancel may come any number of times and returns at once; requests after it fail at once, until `reset`, for one
 * process may serve several engines one after the other; a finished request leaves no timer and no listener behind.
 */
export class Cancellation {
  #all = new AbortController();

  /** Of a request that may take `timeout` seconds; 0: no bound of its own. */
  request(timeout: number): RequestSignal {
    const all = this.#all;
    const own = new AbortController();
    const abort = (): void => own.abort(all.signal.reason);
    if (all.signal.aborted) {
      abort();
    }
    all.signal.addEventListener("abort", abort, { once: true });
    const timer =
      timeout > 0
        ? setTimeout(() => own.abort(new RequestAborted("timeout")), Math.min(timeout * 1000 + GRACE, LONGEST_TIMER))
        : undefined;
    return {
      signal: own.signal,
      [Symbol.dispose]: () => {
        clearTimeout(timer);
        all.signal.removeEventListener("abort", abort);
      },
    };
  }

  abort(cause: AbortCause): void {
    this.#all.abort(new RequestAborted(cause));
  }

  reset(): void {
    if (this.#all.signal.aborted) {
      this.#all = new AbortController();
    }
  }
}

/**
 * Milliseconds beyond a request's time: resources end by themselves at that time and say what is missing, which the
 * engine keeps. This here is for whoever forgot to.
 */
const GRACE = 10_000;
