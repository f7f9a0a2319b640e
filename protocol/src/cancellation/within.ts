import { longestTimer } from "./longest-timer";
import { unlessAborted } from "./unless-aborted";

/**
 * What `work` comes to, if it does within that time; rejects with a `TimeoutError` when the time is over, and at once when
 * `signal` aborts. Whoever is asked and hangs, even one that takes no notice of its signal, holds nobody up. When it has
 * ended no timer is left, and no listener on `signal`.
 */
export async function within<T>(
  milliseconds: number,
  signal: AbortSignal,
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  signal.throwIfAborted();
  const end = new AbortController();
  const forward = (): void => end.abort(signal.reason);
  const late = (): void => end.abort(new DOMException(`no answer within ${milliseconds} ms`, "TimeoutError"));
  signal.addEventListener("abort", forward, { once: true });
  const timer = setTimeout(late, Math.min(milliseconds, longestTimer));
  try {
    return await unlessAborted(end.signal, work(end.signal));
  } finally {
    clearTimeout(timer);
    signal.removeEventListener("abort", forward);
  }
}
