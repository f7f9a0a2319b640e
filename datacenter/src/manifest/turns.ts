import type { EventEmitter } from "node:events";

/** How many peers fetch one version at a time: each has it the sooner, and passes it on. */
const places = 2;
/** How long a peer keeps a place for which others wait, in milliseconds. */
const longest = 60_000;
/** What is being fetched at a time, at most: what is beyond is admitted as it comes. */
const most = 10_000;
/** Who waits in all lines together, at most: each is a connection. Others are sent away at once. */
const mostWaiting = 250;

/** A place that a peer has: it may fetch, a part at a time. */
export interface Place {
  /**
   * A part was given, as far as can be seen here: much of it may be on its way still. The place is kept for the next part
   * until the peer has all, or this connection closes.
   */
  given(connection: Connection): void;
  /** The peer has all, or what was given broke off. */
  end(): void;
}

/** Of a peer: when it closes, nobody fetches there. */
type Connection = Pick<EventEmitter, "once" | "off">;

interface Turn {
  readonly since: number;
  readonly place: Place;
  /** Forgets the connection that it is kept for. */
  release?: () => void;
}

interface Fetched {
  readonly turns: Map<string, Turn>;
  /** Those that wait for a place, the next one first, with how they are told that they have one or are sent away. */
  readonly line: Map<string, (place: Place | undefined) => void>;
  /** Whether somebody was sent away who may ask again. */
  sentAway: boolean;
  /** Runs when a place becomes free for those in line without anybody asking. */
  timer: NodeJS.Timeout | undefined;
}

/**
 * Lets a few peers at a time fetch something, so that a link shared by all does not make all of them wait until the
 * end; whoever has got it gives it to the others. Those that come meanwhile may wait in line.
 */
export class Turns {
  readonly #fetched = new Map<string, Fetched>();
  #waiting = 0;

  /**
   * A place for `peer` to fetch some of `what`; undefined where there is none within `patience` milliseconds, or when it
   * goes away. One that has a place keeps it, but for no more than a minute where others wait.
   */
  admit(what: string, peer: string, patience = 0, gone?: AbortSignal): Promise<Place | undefined> {
    const fetched = this.#fetched.get(what) ?? newFetched();
    this.#keep(what, fetched);
    this.#expire(fetched);
    const own = fetched.turns.get(peer);
    if (own !== undefined) return Promise.resolve(this.#place(what, fetched, peer, own.since));
    if (fetched.turns.size < places && fetched.line.size === 0) {
      return Promise.resolve(this.#place(what, fetched, peer, performance.now()));
    }
    if (patience > 0 && this.#waiting < mostWaiting && gone?.aborted !== true) {
      return this.#inLine(what, fetched, peer, patience, gone);
    }
    fetched.sentAway = true;
    return Promise.resolve(undefined);
  }

  /** The peer has all of it. */
  done(what: string, peer: string): void {
    this.#fetched.get(what)?.turns.get(peer)?.place.end();
  }

  #inLine(
    what: string,
    fetched: Fetched,
    peer: string,
    patience: number,
    gone: AbortSignal | undefined,
  ): Promise<Place | undefined> {
    // It asks again: it has given up on its other request.
    fetched.line.get(peer)?.(undefined);
    return new Promise((resolve) => {
      const told = (place: Place | undefined): void => {
        fetched.line.delete(peer);
        this.#waiting -= 1;
        clearTimeout(timer);
        gone?.removeEventListener("abort", leave);
        resolve(place);
      };
      const leave = (): void => told(undefined);
      const timer = setTimeout(leave, patience);
      gone?.addEventListener("abort", leave, { once: true });
      fetched.line.set(peer, told);
      this.#waiting += 1;
      this.#next(what, fetched);
    });
  }

  #place(what: string, fetched: Fetched, peer: string, since: number): Place {
    const { turns } = fetched;
    turns.get(peer)?.release?.();
    const end = (): void => {
      // It may have given way, and have another one by now.
      if (turns.get(peer) !== turn) return;
      turn.release?.();
      turns.delete(peer);
      this.#next(what, fetched);
    };
    const given = (connection: Connection): void => {
      if (turns.get(peer) !== turn) return;
      connection.once("close", end);
      turn.release = () => void connection.off("close", end);
    };
    const turn: Turn = { since, place: { given, end } };
    turns.set(peer, turn);
    return turn.place;
  }

  /** Gives free places to those in line, and sees to it that the next place that becomes free is given. */
  #next(what: string, fetched: Fetched): void {
    clearTimeout(fetched.timer);
    this.#expire(fetched);
    for (const [peer, told] of fetched.line) {
      if (fetched.turns.size >= places) break;
      told(this.#place(what, fetched, peer, performance.now()));
    }
    if (fetched.line.size > 0) {
      const first = Math.min(...[...fetched.turns.values()].map(({ since }) => since));
      fetched.timer = setTimeout(() => this.#next(what, fetched), first + longest - performance.now() + 1).unref();
    } else if (fetched.turns.size === 0 && this.#fetched.get(what) === fetched) this.#fetched.delete(what);
  }

  /** Takes places from those that have had theirs for long, where others wait. */
  #expire(fetched: Fetched): void {
    const now = performance.now();
    for (const [peer, { since, release }] of fetched.turns) {
      if (now - since <= longest || !(fetched.line.size > 0 || fetched.sentAway)) continue;
      release?.();
      fetched.turns.delete(peer);
      fetched.sentAway = false;
    }
  }

  #keep(what: string, fetched: Fetched): void {
    this.#fetched.delete(what);
    this.#fetched.set(what, fetched);
    const [oldest] = this.#fetched.keys();
    if (this.#fetched.size > most && oldest !== undefined) this.#fetched.delete(oldest);
  }
}

function newFetched(): Fetched {
  return { turns: new Map(), line: new Map(), sentAway: false, timer: undefined };
}
