/**
 * Runs something with a signal that aborts when `signal` does, and after so many milliseconds with a `TimeoutError`. When
 * that has ended no timer is left, and no listener on `signal`: it may be one of the agent's whole life.
 */
export async function within<T>(
  milliseconds: number,
  signal: AbortSignal,
  run: (bounded: AbortSignal) => Promise<T>,
): Promise<T> {
  signal.throwIfAborted();
  const stop = new AbortController();
  const end = (): void => stop.abort(signal.reason);
  signal.addEventListener("abort", end, { once: true });
  const late = (): void => stop.abort(new DOMException(`no end within ${milliseconds} ms`, "TimeoutError"));
  const timer = setTimeout(late, milliseconds);
  try {
    return await run(stop.signal);
  } finally {
    clearTimeout(timer);
    signal.removeEventListener("abort", end);
  }
}
