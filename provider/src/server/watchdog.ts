/**
 * Tells when the engine that started this process is gone, however it went: a plugin that outlives it would wait for
 * ever (the engine asks plugins to stop only when it ends by itself).
 */
export interface EngineWatch {
  /** Whether the engine's address does not answer now. One failure may be a hiccup. */
  readonly unreachable: () => boolean;
  /** Process id of this process's parent now. */
  readonly parent: () => number;
  readonly gone: () => void;
  /** Milliseconds between two looks. */
  readonly interval: number;
}

/** Looks in a row at which the engine did not answer, after which it counts as gone. */
const MOST_UNREACHABLE = 10;

/** Calls `gone` once: when the parent is another one than at the start, or the engine stays unreachable. */
export function watchEngine({ unreachable, parent, gone, interval }: EngineWatch): Disposable {
  const started = parent();
  let failures = 0;
  const timer = setInterval(() => {
    failures = unreachable() ? failures + 1 : 0;
    if (parent() !== started || failures >= MOST_UNREACHABLE) {
      clearInterval(timer);
      gone();
    }
  }, interval);
  timer.unref();
  return { [Symbol.dispose]: () => clearInterval(timer) };
}
