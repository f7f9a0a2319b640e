/** How many are kept whoever asks: a node that fetches the one before the last may finish. */
const keptSnapshots = 2;

/** How many are kept at most, however often peers ask: disk is the operator's. */
const mostSnapshots = 10;

/**
 * Milliseconds for which a snapshot stays after a peer was told of it or fetched a part of it. CometBFT's state sync
 * waits two minutes for a chunk that nobody has any more before it tries another snapshot.
 */
const offerPeriod = 120_000;

/**
 * The snapshots that may go.
 * @param heights of all that there are, the oldest first
 * @param offered when each was last told of or fetched from, in milliseconds of the clock that gives `now`
 */
export function outdatedSnapshots(
  heights: readonly bigint[],
  offered: ReadonlyMap<bigint, number>,
  now: number,
): readonly bigint[] {
  return heights.filter((height, index) => {
    const newer = heights.length - 1 - index;
    if (newer < keptSnapshots) return false;
    if (newer >= mostSnapshots) return true;
    const last = offered.get(height);
    return last === undefined || now - last > offerPeriod;
  });
}
