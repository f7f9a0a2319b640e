/** A signal that aborts with the first of others, and how to part from these. */
export interface JoinedSignals {
  readonly signal: AbortSignal;
  /** To be called once nobody waits for it any more; from then on it does not abort. */
  readonly leave: () => void;
}

/**
 * As `AbortSignal.any`, but that nothing stays behind on signals that outlive it: there each call leaves an entry in a
 * list of the source's until the collector has taken what it made, and again each time one of these is joined in turn.
 */
export function joinSignals(...signals: readonly (AbortSignal | undefined)[]): JoinedSignals {
  const sources = [...new Set(signals.filter((signal) => signal !== undefined))];
  const [only] = sources;
  if (only !== undefined && sources.length === 1) return { signal: only, leave: () => undefined };
  const joined = new AbortController();
  const left: (() => void)[] = [];
  const leave = (): void => {
    for (const part of left.splice(0)) part();
  };
  for (const source of sources) {
    const abort = (): void => {
      leave();
      joined.abort(source.reason);
    };
    if (source.aborted) {
      abort();
      break;
    }
    source.addEventListener("abort", abort, { once: true });
    left.push(() => source.removeEventListener("abort", abort));
  }
  return { signal: joined.signal, leave };
}

/** What `work` comes to, with a signal that aborts with the first of these. None of them is listened to afterwards. */
export async function withJoined<T>(
  signals: readonly (AbortSignal | undefined)[],
  work: (joined: AbortSignal) => Promise<T>,
): Promise<T> {
  const { signal, leave } = joinSignals(...signals);
  try {
    return await work(signal);
  } finally {
    leave();
  }
}
