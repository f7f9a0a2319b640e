/** How many peers fetch one version at a time: each has it the sooner, and passes it on. */
const places = 2;
/** How long a place is kept for a peer that asks for the next part, in milliseconds. */
const keptFor = 3_000;
/** How long a peer keeps a place for which others wait, in milliseconds. */
const longest = 60_000;
/** What is being fetched at a time, at most: what is beyond is admitted as it comes. */
const most = 10_000;

interface Turn {
  readonly since: number;
  /** Infinity while a part is on its way. */
  until: number;
}

interface Fetched {
  readonly turns: Map<string, Turn>;
  /** Whether somebody was sent away since the last turn ended. */
  waiting: boolean;
}

/**
 * Lets a few peers at a time fetch something, so that a link shared by all does not make all of them wait until the
 * end; whoever has got it gives it to the others.
 */
export class Turns {
  readonly #fetched = new Map<string, Fetched>();

  /**
   * Whether `peer` may fetch some of `what` now. Then its place is kept until `gave` says that this was given, and for a
   * moment after that.
   * @param now milliseconds of a clock that never goes back
   */
  admit(what: string, peer: string, now: number): boolean {
    const fetched = this.#fetched.get(what) ?? { turns: new Map<string, Turn>(), waiting: false };
    this.#keep(what, fetched);
    const { turns } = fetched;
    for (const [other, { until }] of turns) if (until <= now) turns.delete(other);
    const own = turns.get(peer);
    if (own !== undefined && fetched.waiting && now - own.since > longest) {
      turns.delete(peer);
      fetched.waiting = false;
      return false;
    }
    if (own === undefined && turns.size >= places) {
      fetched.waiting = true;
      return false;
    }
    turns.set(peer, { since: own?.since ?? now, until: Number.POSITIVE_INFINITY });
    return true;
  }

  /** What was asked for was given, or broke off. @param last whether there is nothing more to fetch */
  gave(what: string, peer: string, last: boolean, now: number): void {
    const fetched = this.#fetched.get(what);
    const turn = fetched?.turns.get(peer);
    if (fetched === undefined || turn === undefined) return;
    if (last) {
      fetched.turns.delete(peer);
      fetched.waiting = false;
    } else turn.until = now + keptFor;
    if (fetched.turns.size === 0) this.#fetched.delete(what);
  }

  #keep(what: string, fetched: Fetched): void {
    this.#fetched.delete(what);
    this.#fetched.set(what, fetched);
    const [oldest] = this.#fetched.keys();
    if (this.#fetched.size > most && oldest !== undefined) this.#fetched.delete(oldest);
  }
}
