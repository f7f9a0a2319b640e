import type { Duplex } from "node:stream";
import { type Called, connectPatience, TargetCaller, type TargetCallerOptions } from "./target-caller";
import type { Answer } from "./tunnel-opening";
import { earlier } from "./tunnel-server";
import { TunnelSession } from "./tunnel-session";

export interface TunnelOptions extends TargetCallerOptions {
  /** Called when `accepts` or `message` changed. */
  readonly onChange: () => void;
}

const firstDelay = 100;
const longestDelay = 2_000;
/** After how many milliseconds it is tried again to renew a tunnel that stands. */
const renewalDelay = 1_000;
/** How long a workload's connection waits for a tunnel that does not stand yet. */
const openPatience = 10_000;

/**
 * The source's end of one tunnel: one mutually authenticated session for one pair of workloads, made again whenever
 * it breaks, and anew, beside the old one, when the certificate was renewed.
 */
export class Tunnel {
  readonly #options: TunnelOptions;
  readonly #caller: TargetCaller;
  #session: TunnelSession | undefined;
  /** That one, and those before it whose streams go on. */
  readonly #sessions = new Set<TunnelSession>();
  #attempt: Promise<void> | undefined;
  #delay = firstDelay;
  #timer: NodeJS.Timeout | undefined;
  #closed = false;
  #accepts = false;
  #entry: string | undefined;
  #message = "connecting";
  #waiting = new Set<() => void>();
  #renewing: NodeJS.Timeout | undefined;
  #renewAfterwards = false;

  constructor(options: TunnelOptions) {
    this.#options = options;
    this.#caller = new TargetCaller(options);
    this.#reconnect(0);
  }

  /** Whether the tunnel stands and the target accepted when it was last asked. */
  get accepts(): boolean {
    return this.#accepts;
  }

  /** Digest of the target's entry that ran when it was last asked; undefined while the target was rolling. */
  get entry(): string | undefined {
    return this.#entry;
  }

  /** Asks again whether the target accepts, and what it runs. */
  ask(): void {
    if (this.#session !== undefined && this.#probing === undefined) {
      void this.#probe(this.#session);
    }
  }

  /** Why it does not, for a person. */
  get message(): string {
    return this.#message;
  }

  /** A stream to the target. Rejects when the tunnel does not stand in time, or the target does not accept. */
  async open(): Promise<Duplex> {
    for (;;) {
      const session = await this.#standing();
      const { answer, stream } = session.begin("carry");
      try {
        this.#report(true, "", await this.#accepted(answer, session));
        return stream;
      } catch (error) {
        stream.destroy();
        // It was not begun: the other end had just asked for a new session, or this one was renewed.
        if (error instanceof Unanswered && this.#another(session) && !this.#closed) continue;
        this.#report(false, error instanceof Error ? error.message : String(error));
        this.#probeLater();
        throw error;
      }
    }
  }

  /**
   * From now on these are the roots that the target's certificate has to be under. A session whose certificate is under
   * none of them is cut, with all its flows; others stay.
   */
  trust(roots: readonly string[]): void {
    this.#caller.trust(roots);
    for (const session of this.#sessions) {
      const { leaf, notAfter } = session.presented;
      if (!this.#caller.verify(leaf, earlier(notAfter)).valid) session.cut();
    }
  }

  /** Makes a new session with the current certificate; flows of the old one go on to their end. */
  renew(): void {
    clearTimeout(this.#renewing);
    if (this.#attempt !== undefined) {
      // It may have begun with the certificate before.
      this.#renewAfterwards = true;
      return;
    }
    const old = this.#session;
    if (old === undefined || this.#closed) return;
    this.#attempt = this.#connectOnce()
      .then((session) => this.#admitted(session))
      .then(
        (session) => {
          this.#use(session);
          if (session.destroyed) this.#backOff();
        },
        (error: unknown) => {
          this.#options.logger.warn({ error: String(error) }, "a tunnel can't be renewed yet");
          if (this.#closed) return;
          if (!old.open) this.#backOff();
          else this.#renewing = setTimeout(() => this.renew(), renewalDelay).unref();
        },
      )
      .finally(() => this.#attempted());
  }

  /**
   * Resolves once the other end has answered anything at all: in TLS 1.3 a refusal comes after the handshake. One that says
   * nothing is given up, for the tunnel before would stand for ever.
   */
  #admitted(session: TunnelSession): Promise<TunnelSession> {
    const patience = setTimeout(() => session.cut(), connectPatience);
    return this.#asked(session)
      .then(
        () => session,
        (cause: unknown) => {
          throw new Unanswered({ cause });
        },
      )
      .finally(() => clearTimeout(patience));
  }

  async #asked(session: TunnelSession): Promise<Answer> {
    const { answer, stream } = session.begin("ask");
    const said = await answer;
    // To its end, or it would stay.
    stream.resume();
    return said;
  }

  #attempted(): void {
    this.#attempt = undefined;
    if (!this.#renewAfterwards) return;
    this.#renewAfterwards = false;
    this.renew();
  }

  /** PEM of this end's certificate in each session that carries something, or may. */
  presented(): readonly string[] {
    return [...this.#sessions].filter(({ carries }) => carries).map(({ presented }) => presented.own);
  }

  /** Takes no more streams; those that there are go on to their end, for so many milliseconds at most. */
  retire(patience: number): void {
    this.#closed = true;
    clearTimeout(this.#timer);
    clearTimeout(this.#probing);
    clearTimeout(this.#renewing);
    for (const session of this.#sessions) session.retire();
    for (const wake of this.#waiting) {
      wake();
    }
    setTimeout(() => this.close(), patience).unref();
  }

  close(): void {
    this.#closed = true;
    clearTimeout(this.#timer);
    clearTimeout(this.#probing);
    clearTimeout(this.#renewing);
    for (const session of this.#sessions) session.cut();
    for (const wake of this.#waiting) {
      wake();
    }
  }

  #report(accepts: boolean, message: string, entry?: string): void {
    if (accepts !== this.#accepts || message !== this.#message || entry !== this.#entry) {
      this.#accepts = accepts;
      this.#entry = entry;
      this.#message = message;
      this.#options.onChange();
    }
  }

  #reconnect(delay: number): void {
    if (this.#closed) {
      return;
    }
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => {
      if (this.#attempt !== undefined || this.#closed) {
        return;
      }
      this.#attempt = this.#connectOnce()
        .then(
          (session) => {
            this.#use(session);
          },
          (error: unknown) => {
            this.#report(false, error instanceof Error ? error.message : String(error));
            this.#backOff();
          },
        )
        .finally(() => this.#attempted());
    }, delay);
  }

  #backOff(): void {
    // Spread, so that the agents of a datacenter that comes back do not all call at once.
    this.#reconnect(this.#delay * (0.75 + Math.random() / 2));
    this.#delay = Math.min(this.#delay * 2, longestDelay);
  }

  #use(session: TunnelSession): void {
    // While it was renewed the old one may have gone, and a reconnection is due, or has been made: one is enough, and
    // another would stand for nobody until its certificate has expired.
    clearTimeout(this.#timer);
    const before = this.#session;
    this.#session = session;
    before?.replaced();
    for (const wake of this.#waiting) {
      wake();
    }
    void this.#probe(session);
  }

  /** Whether there is another session to begin a stream in than this one, or soon will be. */
  #another(session: TunnelSession): boolean {
    const replaced = this.#session !== undefined && this.#session !== session;
    return replaced || (!session.open && !session.destroyed);
  }

  async #standing(): Promise<TunnelSession> {
    const deadline = Date.now() + openPatience;
    for (;;) {
      const session = this.#session;
      if (session?.open === true) {
        return session;
      }
      const left = deadline - Date.now();
      if (this.#closed || left <= 0) {
        throw new Error(`the tunnel does not stand: ${this.#message}`);
      }
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, left);
        const wake = () => {
          clearTimeout(timer);
          this.#waiting.delete(wake);
          resolve();
        };
        this.#waiting.add(wake);
      });
    }
  }

  /** Asks the target's agent whether the target accepts, until it does; workloads begin in any order. */
  async #probe(session: TunnelSession): Promise<void> {
    if (!session.open || this.#closed || session !== this.#session) {
      return;
    }
    try {
      const entry = await this.#accepted(this.#asked(session), session);
      this.#delay = firstDelay;
      this.#report(true, "", entry);
    } catch (error) {
      // Another session has been asked meanwhile.
      if (this.#another(session)) return;
      this.#report(false, error instanceof Error ? error.message : String(error));
      this.#probeLater();
    }
  }

  #probing: NodeJS.Timeout | undefined;

  #probeLater(): void {
    if (this.#probing !== undefined || this.#closed) {
      return;
    }
    this.#probing = setTimeout(() => {
      this.#probing = undefined;
      if (this.#session !== undefined) {
        void this.#probe(this.#session);
      }
    }, this.#delay);
    this.#delay = Math.min(this.#delay * 2, longestDelay);
  }

  /** Resolves to the entry that the target runs. */
  async #accepted(answer: Promise<Answer>, session: TunnelSession): Promise<string | undefined> {
    const { entry, outcome, reason } = await answer.catch((cause: unknown) => {
      throw new Unanswered({ cause });
    });
    if (outcome === "accepts") return entry;
    if (outcome === "expired" && session === this.#session) {
      // Its certificate has expired there: the next one will be new.
      session.retire();
      this.#session = undefined;
      this.#reconnect(0);
    }
    throw new Error(reason ?? "the target's datacenter refuses, and does not say why");
  }

  async #connectOnce(): Promise<TunnelSession> {
    return this.#begin(await this.#caller.call());
  }

  #begin({ presented, socket }: Called): TunnelSession {
    const session: TunnelSession = new TunnelSession(socket, presented, {
      onGoAway: () => {
        if (session === this.#session) this.renew();
      },
      onClose: () => {
        this.#sessions.delete(session);
        if (session === this.#session) {
          this.#session = undefined;
          this.#report(false, "the tunnel broke: the target's datacenter refuses it, or went away");
          this.#backOff();
        }
      },
    });
    this.#sessions.add(session);
    if (this.#closed) session.cut();
    return session;
  }
}

/** A stream ended before the other end had said anything about it. */
class Unanswered extends Error {
  constructor(options?: ErrorOptions) {
    super("the tunnel broke: the target's datacenter refuses it, or went away", options);
  }
}
