/** An account's committed sequence, and the height of the state that it is from. */
export interface SequenceAt {
  readonly sequence: bigint;
  readonly height: bigint;
}

interface Waiting {
  /** Absent: it holds none yet, and comes after those that do. */
  readonly sequence: bigint | undefined;
  begin(): void;
}

/**
 * The sequences of one account among the deliveries of this process. Several transactions may be in flight, with
 * sequences that follow one another, for a mempool takes and a block executes them in that order only. No two
 * deliveries ever hold the same one.
 */
export class Sequences {
  private readonly held = new Set<bigint>();
  /** The lowest that may be unused on the chain, as far as anybody here has seen. */
  private lowest = 0n;
  private readonly waiting: Waiting[] = [];
  private busy = false;

  /** The lowest that is unused at that state and that nobody here holds: gaps are filled before the row grows. */
  take(at: SequenceAt): bigint {
    if (at.sequence > this.lowest) this.lowest = at.sequence;
    let sequence = this.lowest;
    while (this.held.has(sequence)) sequence += 1n;
    this.held.add(sequence);
    return sequence;
  }

  /** Its transaction is in a block: a node that is behind must not make it look free. */
  use(sequence: bigint): void {
    if (sequence >= this.lowest) this.lowest = sequence + 1n;
  }

  /** Who held it is done with it, whether it was used or not. */
  release(sequence: bigint): void {
    this.held.delete(sequence);
  }

  /** Does the work while nobody else signs or offers; of those that wait, the one with the lowest sequence is next. */
  async turn<T>(sequence: bigint | undefined, work: () => Promise<T>): Promise<T> {
    await new Promise<void>((begin) => {
      this.waiting.push({ sequence, begin });
      this.next();
    });
    try {
      return await work();
    } finally {
      this.busy = false;
      this.next();
    }
  }

  private next(): void {
    if (this.busy) return;
    const first = this.waiting.reduce<Waiting | undefined>(
      (best, one) => (best === undefined || isBefore(one, best) ? one : best),
      undefined,
    );
    if (first === undefined) return;
    this.waiting.splice(this.waiting.indexOf(first), 1);
    this.busy = true;
    first.begin();
  }
}

function isBefore(one: Waiting, other: Waiting): boolean {
  if (one.sequence === undefined) return false;
  return other.sequence === undefined || one.sequence < other.sequence;
}
