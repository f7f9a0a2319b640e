/**
 * What `work` resolves to, if it does within that time; rejects when the time is over, at once when `signal` aborts.
 * Whoever is asked and hangs, even one that takes no notice of its signal, holds nobody up.
 */
export async function within<T>(
  milliseconds: number,
  signal: AbortSignal,
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  signal.throwIfAborted();
  const end = new AbortController();
  const forward = (): void => end.abort(signal.reason);
  signal.addEventListener("abort", forward, { once: true });
  const timer = setTimeout(
    () => end.abort(new DOMException(`no answer within ${milliseconds} ms`, "TimeoutError")),
    milliseconds,
  );
  const over = new Promise<never>((_resolve, reject) => {
    end.signal.addEventListener("abort", () => reject(end.signal.reason), { once: true });
  });
  try {
    return await Promise.race([work(end.signal), over]);
  } finally {
    clearTimeout(timer);
    signal.removeEventListener("abort", forward);
    over.catch(() => {});
  }
}
