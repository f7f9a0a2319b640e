import type { Application } from "../../application";
import type { ChainEvents } from "../events";
import type { Mempool } from "../mempool/mempool";
import type { Chain } from "./chain";

export interface ProducerOptions {
  /** Milliseconds after which an idle chain makes a block all the same, so that timeout heights come to pass. */
  readonly idleInterval: number;
  /** Milliseconds for which blocks go on at their pace after somebody asked after a transaction. */
  readonly attention: number;
}

/**
 * Makes blocks: one every block interval, never sooner, and not faster to catch up after a pause. While nothing
 * depends on height, nothing is pending and nobody waits, empty ones are left out but for a few.
 */
export class Producer {
  private timer: NodeJS.Timeout | undefined;
  /** When the timer goes off. */
  private due = Number.POSITIVE_INFINITY;
  // performance.now(): a clock that nobody sets.
  private lastBlock = Number.NEGATIVE_INFINITY;
  private lastAttention = Number.NEGATIVE_INFINITY;
  private stopped = false;

  constructor(
    private readonly application: Application,
    private readonly chain: Chain,
    private readonly mempool: Mempool,
    private readonly events: ChainEvents,
    private readonly options: ProducerOptions,
    private readonly onFatal: (error: unknown) => void,
  ) {}

  start(): void {
    this.schedule();
  }

  /** Makes a block at once, before anybody can ask for one: a chain answers from its first block on. */
  startNow(): void {
    this.produce();
  }

  stop(): void {
    this.stopped = true;
    clearTimeout(this.timer);
  }

  /** A transaction has come: the next block is due as soon as the interval allows. */
  wake(): void {
    this.schedule();
  }

  /** Somebody waits for something to happen. */
  attend(): void {
    this.lastAttention = performance.now();
    this.schedule();
  }

  private schedule(): void {
    if (this.stopped) return;
    const interval = this.isIdle()
      ? Math.max(this.options.idleInterval, this.application.blockInterval)
      : this.application.blockInterval;
    const due = this.lastBlock + interval;
    // Each transaction asks: what goes off in time already is left alone.
    if (due >= this.due) return;
    clearTimeout(this.timer);
    this.due = due;
    this.timer = setTimeout(() => this.produce(), Math.max(0, due - performance.now()));
  }

  private isIdle(): boolean {
    if (this.mempool.size > 0 || this.lastBlock === Number.NEGATIVE_INFINITY) return false;
    if (performance.now() - this.lastAttention < this.options.attention) return false;
    return !this.application.dependsOnHeight();
  }

  private produce(): void {
    if (this.stopped) return;
    this.lastBlock = performance.now();
    this.due = Number.POSITIVE_INFINITY;
    try {
      const { stored, hashes } = this.chain.produce(this.mempool);
      this.events.publish(stored, hashes);
      this.schedule();
    } catch (error) {
      this.stop();
      this.onFatal(error);
    }
  }
}
