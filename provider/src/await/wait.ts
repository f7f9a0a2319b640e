/**
 * Waiting with a status line. A wait ends well when what it looks at is done; it ends badly when that can't become
 * done any more, at its deadline, or when the engine cancels. Nothing sleeps a fixed time: whoever waits says what
 * may change next.
 */
export type Progress<T> =
  | { readonly done: true; readonly value: T }
  /** `line` says what is awaited, for a person. `reasons`: the same in full, for when the time is over. */
  | { readonly done: false; readonly line: string; readonly reasons: readonly string[] };

/** The time is over. `reasons` says what was missing at the end. */
export class WaitTimeout extends Error {
  override readonly name = "WaitTimeout";
  constructor(readonly reasons: readonly string[]) {
    super(reasons.join("\n"));
  }
}

/** The engine cancelled. `reasons` says what was missing. */
export class WaitCancelled extends Error {
  override readonly name = "WaitCancelled";
  constructor(readonly reasons: readonly string[]) {
    super(reasons.join("\n"));
  }
}

/** What is awaited can't come any more. */
export class WaitFailed extends Error {
  override readonly name = "WaitFailed";
  constructor(readonly reasons: readonly string[]) {
    super(reasons.join("\n"));
  }
}

export interface Wait<T> {
  look(): Promise<Progress<T>>;
  /** Resolves when it is worth looking again; rejects or resolves once `signal` aborts. */
  next(signal: AbortSignal): Promise<unknown>;
  status(line: string): void;
  readonly deadline: Deadline;
}

/** Looks, tells, waits for a change, and looks again. Throws WaitTimeout, WaitCancelled, or what `look` throws. */
export async function waitFor<T>({ look, next, status, deadline }: Wait<T>): Promise<T> {
  let reasons: readonly string[] = [];
  let shown = "";
  for (;;) {
    try {
      const progress = await look();
      if (progress.done) {
        return progress.value;
      }
      reasons = progress.reasons;
      if (progress.line !== shown) {
        shown = progress.line;
        status(progress.line);
      }
      deadline.signal.throwIfAborted();
      await next(deadline.signal);
    } catch (error) {
      if (!deadline.signal.aborted || error instanceof WaitFailed) {
        throw error;
      }
    }
    if (deadline.signal.aborted) {
      throw deadline.cancelled ? new WaitCancelled(reasons) : new WaitTimeout(reasons);
    }
  }
}

/** Milliseconds that a timer of Node's can wait, about 25 days: one that is to wait longer fires at once. As the protocol's
 * `longestTimer`, which the server does without until it is asked something. */
export const LONGEST_TIMER = 2 ** 31 - 1;

/** When a call has to end: at its own timeout, or when the engine cancels. */
export class Deadline implements Disposable {
  readonly signal: AbortSignal;
  readonly #timer: NodeJS.Timeout;
  readonly #caller: AbortSignal;
  readonly milliseconds: number;

  /** @param seconds of the request; 0: `fallback` seconds */
  constructor(caller: AbortSignal, seconds: number, fallback: number) {
    const timeout = new AbortController();
    // A little before the engine's own deadline, which would cut the answer off that says what is missing.
    const wanted = (seconds > 0 ? seconds : fallback) * 1000 - (seconds > 5 ? 1000 : 0);
    this.milliseconds = Math.min(Math.max(100, wanted), LONGEST_TIMER);
    this.#timer = setTimeout(
      () => timeout.abort(new DOMException("the time is over", "TimeoutError")),
      this.milliseconds,
    );
    this.#timer.unref();
    this.#caller = caller;
    this.signal = AbortSignal.any([caller, timeout.signal]);
  }

  /** True: the engine cancelled; false: the time is over, or nothing of both. */
  get cancelled(): boolean {
    const { reason } = this.#caller;
    return this.#caller.aborted && !(reason instanceof Error && reason.name === "TimeoutError");
  }

  [Symbol.dispose](): void {
    clearTimeout(this.#timer);
  }
}

/** A span for a person: `45s`, `5m`, `1h 20m`. */
export function spanText(milliseconds: number): string {
  const seconds = Math.round(milliseconds / 1000);
  if (seconds < 60) {
    return `${seconds}s`;
  }
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) {
    return seconds % 60 === 0 ? `${minutes}m` : `${minutes}m ${seconds % 60}s`;
  }
  return minutes % 60 === 0 ? `${minutes / 60}h` : `${Math.floor(minutes / 60)}h ${minutes % 60}m`;
}
