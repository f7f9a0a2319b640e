/** Longest run of keys before it is split: inserting moves at most that many. */
const longest = 256;

/**
 * A set of keys in order, for tens of thousands of them: runs of bounded length, so that inserting one key does not
 * move all the others. PERF: adding and deleting O(log n + longest + n / longest).
 */
export class SortedKeys {
  /** Never empty, but for the first run of an empty set. */
  #runs: string[][] = [[]];

  /** Adds a key that is not there yet. */
  add(key: string): void {
    const at = this.#runOf(key);
    const run = this.#run(at);
    run.splice(lowerBound(run, key), 0, key);
    if (run.length > longest) this.#runs.splice(at + 1, 0, run.splice(longest / 2));
  }

  delete(key: string): void {
    const at = this.#runOf(key);
    const run = this.#run(at);
    const position = lowerBound(run, key);
    if (run[position] !== key) return;
    run.splice(position, 1);
    if (run.length === 0 && this.#runs.length > 1) this.#runs.splice(at, 1);
  }

  clear(): void {
    this.#runs = [[]];
  }

  /** Keys with start <= key < end, or from the end backwards. The set must not change while they are read. */
  *between(start: string, end: string, direction: "forwards" | "backwards"): Generator<string> {
    if (direction === "forwards") {
      for (let at = this.#runOf(start); at < this.#runs.length; at += 1) {
        const run = this.#run(at);
        for (let position = lowerBound(run, start); position < run.length; position += 1) {
          const key = run[position];
          if (key === undefined || key >= end) return;
          yield key;
        }
      }
      return;
    }
    for (let at = this.#runOf(end); at >= 0; at -= 1) {
      const run = this.#run(at);
      for (let position = lowerBound(run, end) - 1; position >= 0; position -= 1) {
        const key = run[position];
        if (key === undefined || key < start) return;
        yield key;
      }
    }
  }

  *all(): Generator<string> {
    for (const run of this.#runs) yield* run;
  }

  #run(at: number): string[] {
    const run = this.#runs[at];
    if (run === undefined) throw new RangeError(`no run ${at} of ${this.#runs.length}`);
    return run;
  }

  /** Index of the last run that does not begin after the key; the first where all do. */
  #runOf(key: string): number {
    let low = 0;
    let high = this.#runs.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >>> 1;
      const first = this.#run(middle)[0];
      if (first !== undefined && first <= key) low = middle;
      else high = middle - 1;
    }
    return low;
  }
}

/** Index of the first key that is not before `bound`. */
function lowerBound(keys: readonly string[], bound: string): number {
  let low = 0;
  let high = keys.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    const key = keys[middle];
    if (key !== undefined && key < bound) low = middle + 1;
    else high = middle;
  }
  return low;
}
