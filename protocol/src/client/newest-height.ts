import { z } from "zod";
import { type FailoverRpc, pause } from "./failover-rpc";

const HeightOfStatus = z.object({ sync_info: z.object({ latest_block_height: z.coerce.bigint() }) });

const NewBlockHeader = z.object({
  result: z.object({
    data: z.object({ value: z.object({ header: z.object({ height: z.coerce.bigint() }) }) }),
  }),
});

/** Where a WebSocket announces the blocks, polling only guards against one that fell silent. */
const guardInterval = 5_000;
const longestReconnectDelay = 5_000;

interface Waiter {
  readonly height: bigint;
  resolve(newest: bigint): void;
  reject(error: unknown): void;
}

/**
 * The height of the newest block, kept current while somebody waits for one: announced over a WebSocket to the
 * endpoint that answers, and asked for in turn where there is none. All who wait share one connection.
 */
export class NewestHeight {
  private newest = 0n;
  private readonly waiters = new Set<Waiter>();
  private running: AbortController | undefined;
  private announced = false;

  constructor(
    private readonly rpc: FailoverRpc,
    /** In ms. */
    private readonly pollInterval: number,
  ) {}

  /**
   * Resolves with the newest height once that is `height` or more. Throws NetworkUnreachable when no endpoint
   * answers, WrongChain, or the signal's reason.
   */
  async reach(height: bigint, signal: AbortSignal): Promise<bigint> {
    signal.throwIfAborted();
    if (this.newest >= height) return this.newest;
    return new Promise((resolve, reject) => {
      const waiter: Waiter = { height, resolve, reject };
      const leave = () => this.waiters.delete(waiter);
      const onAbort = () => {
        leave();
        reject(signal.reason);
      };
      signal.addEventListener("abort", onAbort, { once: true });
      waiter.resolve = (newest) => {
        leave();
        signal.removeEventListener("abort", onAbort);
        resolve(newest);
      };
      waiter.reject = (error) => {
        leave();
        signal.removeEventListener("abort", onAbort);
        reject(error);
      };
      this.waiters.add(waiter);
      this.run();
    });
  }

  /** A height that was learned by the way. */
  learn(height: bigint): void {
    if (height <= this.newest) return;
    this.newest = height;
    for (const waiter of [...this.waiters]) {
      if (waiter.height <= height) waiter.resolve(height);
    }
  }

  /** Ends the connection; those who wait get `reason`. */
  close(reason: unknown): void {
    this.stop();
    for (const waiter of [...this.waiters]) waiter.reject(reason);
  }

  private run(): void {
    if (this.running !== undefined) return;
    const running = new AbortController();
    this.running = running;
    void this.poll(running.signal);
    void this.listen(running.signal);
  }

  private stop(): void {
    this.running?.abort();
    this.running = undefined;
    this.announced = false;
  }

  private async poll(signal: AbortSignal): Promise<void> {
    let idleRounds = 0;
    while (!signal.aborted) {
      try {
        const status = await this.rpc.call("status", {}, HeightOfStatus, signal);
        this.learn(status.sync_info.latest_block_height);
      } catch (error) {
        if (signal.aborted) return;
        for (const waiter of [...this.waiters]) waiter.reject(error);
      }
      // Who follows comes back right after each block, and who gave up waiting often does too: the connection ends
      // only when nobody has waited for a whole round.
      idleRounds = this.waiters.size === 0 ? idleRounds + 1 : 0;
      if (idleRounds > 1) {
        if (this.running?.signal === signal) this.stop();
        return;
      }
      await pause(this.announced ? guardInterval : this.pollInterval, signal).catch(() => undefined);
    }
  }

  private async listen(signal: AbortSignal): Promise<void> {
    for (let failures = 0; !signal.aborted; failures++) {
      const opened = await this.listenOnce(signal);
      this.announced = false;
      if (opened) failures = 0;
      const delay = Math.min(this.pollInterval * 2 ** Math.min(failures, 10), longestReconnectDelay);
      await pause(delay, signal).catch(() => undefined);
    }
  }

  /** Resolves when the connection has ended, with whether it ever announced a block. Never throws. */
  private listenOnce(signal: AbortSignal): Promise<boolean> {
    return new Promise((resolve) => {
      let announcedOne = false;
      const url = new URL(this.rpc.currentEndpoint);
      url.protocol = url.protocol === "https:" ? "wss:" : "ws:";
      url.pathname = `${url.pathname.replace(/\/$/, "")}/websocket`;
      const socket = new WebSocket(url);
      const close = () => socket.close();
      signal.addEventListener("abort", close, { once: true });
      socket.addEventListener("open", () => {
        const params = { query: "tm.event='NewBlockHeader'" };
        socket.send(JSON.stringify({ jsonrpc: "2.0", id: 1, method: "subscribe", params }));
      });
      socket.addEventListener("message", (message) => {
        const parsed = NewBlockHeader.safeParse(parseMessage(message.data));
        // The first answer only confirms the subscription.
        if (!parsed.success) return;
        announcedOne = true;
        this.announced = true;
        this.learn(parsed.data.result.data.value.header.height);
      });
      // "close" follows an "error" too.
      socket.addEventListener("close", () => {
        signal.removeEventListener("abort", close);
        resolve(announcedOne);
      });
      socket.addEventListener("error", () => undefined);
    });
  }
}

function parseMessage(data: unknown): unknown {
  if (typeof data !== "string") return undefined;
  try {
    return JSON.parse(data);
  } catch {
    return undefined;
  }
}
