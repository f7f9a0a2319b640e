import { longestTimer } from "./longest-timer";

/** Resolves after that time; rejects with the signal's reason as soon as that aborts. */
export async function pause(milliseconds: number, signal: AbortSignal): Promise<void> {
  await idle(milliseconds, signal);
  signal.throwIfAborted();
}

/** Resolves after that time, 25 days at most, or at once when the signal aborts. */
export function idle(milliseconds: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted || milliseconds <= 0) {
      resolve();
      return;
    }
    const done = (): void => {
      clearTimeout(timer);
      signal.removeEventListener("abort", done);
      resolve();
    };
    const timer = setTimeout(done, Math.min(milliseconds, longestTimer));
    signal.addEventListener("abort", done, { once: true });
  });
}
