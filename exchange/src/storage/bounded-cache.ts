/**
 * A map that keeps the entries used last: at most `limit`, and, once it is full, never less than half of it. Where entries
 * weigh, the limit is on what they weigh together; one that weighs more than half of it stays until others have come.
 *
 * PERF: two halves. What is used goes into the newer one; when that is full the older is let go of as a whole. An
 * order of use kept exactly would cost a deletion and an insertion for each look.
 */
export class BoundedCache<K, V> {
  private newer = new Map<K, V>();
  private older = new Map<K, V>();
  private readonly half: number;
  /** Of the newer ones. */
  private weight = 0;

  constructor(
    limit: number,
    private readonly weightOf: (value: V) => number = one,
  ) {
    this.half = Math.max(1, Math.floor(limit / 2));
  }

  get(key: K): V | undefined {
    const value = this.newer.get(key);
    if (value !== undefined) return value;
    const before = this.older.get(key);
    if (before !== undefined) this.set(key, before);
    return before;
  }

  set(key: K, value: V): void {
    const before = this.newer.get(key);
    if (before !== undefined) this.weight -= this.weightOf(before);
    const weight = this.weightOf(value);
    if (this.weight + weight > this.half && before === undefined) {
      this.older = this.newer;
      this.newer = new Map();
      this.weight = 0;
    }
    this.newer.set(key, value);
    this.weight += weight;
  }

  delete(key: K): void {
    const before = this.newer.get(key);
    if (before !== undefined) this.weight -= this.weightOf(before);
    this.newer.delete(key);
    this.older.delete(key);
  }

  clear(): void {
    this.newer.clear();
    this.older.clear();
    this.weight = 0;
  }
}

function one(): number {
  return 1;
}
