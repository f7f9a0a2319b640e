import { networkOf } from "./network-of";

/** Callers that are remembered at a time. */
const remembered = 10_000;

/** Lets each caller do something `perSecond` times a second, after a burst of as many as `burst`. */
export class RateLimit {
  readonly #callers = new Map<string, { tokens: number; at: number }>();

  constructor(
    private readonly perSecond: number,
    private readonly burst: number,
  ) {}

  /** Whether who calls from this address may go on now. @param now milliseconds of a clock that never goes back */
  admit(address: string, now: number): boolean {
    const caller = networkOf(address);
    const known = this.#callers.get(caller) ?? { tokens: this.burst, at: now };
    const tokens = Math.min(this.burst, known.tokens + ((now - known.at) / 1_000) * this.perSecond);
    this.#callers.delete(caller);
    // Who has not come for the longest time is forgotten first.
    const [oldest] = this.#callers.keys();
    if (this.#callers.size >= remembered && oldest !== undefined) this.#callers.delete(oldest);
    this.#callers.set(caller, { tokens: tokens < 1 ? tokens : tokens - 1, at: now });
    return tokens >= 1;
  }
}
