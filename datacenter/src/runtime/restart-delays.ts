/** How long what ends waits before it is started again, in milliseconds. */
export const restartDelays = {
  first: 250,
  /** It doubles up to this. */
  most: 30_000,
  /** After running for so long the delay is the first one again. */
  settled: 10_000,
} as const;
