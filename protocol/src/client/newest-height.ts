import { z } from "zod";
import { idle } from "../cancellation/pause";
import type { FailoverRpc } from "./failover-rpc";

const HeightOfStatus = z.object({ sync_info: z.object({ latest_block_height: z.coerce.bigint() }) });

const NewBlockHeader = z.object({
  result: z.object({
    data: z.object({ value: z.object({ header: z.object({ height: z.coerce.bigint() }) }) }),
  }),
});

/** Where a WebSocket announces the blocks, polling only guards against one that fell silent: so much more seldom. */
const guardFactor = 10;
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
  /** The connection over which blocks are announced. */
  private listening: { readonly endpoint: string; readonly close: () => void } | undefined;

  /** In ms. */
  private readonly guardInterval: number;

  constructor(
    private readonly rpc: FailoverRpc,
    /** In ms. */
    private readonly pollInterval: number,
  ) {
    this.guardInterval = pollInterval * guardFactor;
  }

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
    this.rpc.learn(height);
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
    let surveyedAt = Date.now();
    while (!signal.aborted) {
      try {
        if (Date.now() - surveyedAt >= this.guardInterval) {
          surveyedAt = Date.now();
          // A node that has lost the others announces nothing, and answers as if all were well.
          this.learn(await this.rpc.survey(signal));
          this.leaveOldEndpoint();
        } else {
          const status = await this.rpc.call("status", {}, HeightOfStatus, signal);
          this.learn(status.sync_info.latest_block_height);
        }
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
      await idle(this.announced ? this.guardInterval : this.pollInterval, signal);
    }
  }

  /** Listens at the endpoint that is asked. */
  private leaveOldEndpoint(): void {
    if (this.listening !== undefined && this.listening.endpoint !== this.rpc.currentEndpoint) this.listening.close();
  }

  private async listen(signal: AbortSignal): Promise<void> {
    for (let failures = 0; !signal.aborted; failures++) {
      const opened = await this.listenOnce(signal);
      this.announced = false;
      if (opened) failures = 0;
      const delay = Math.min(this.pollInterval * 2 ** Math.min(failures, 10), longestReconnectDelay);
      await idle(delay, signal);
    }
  }

  /** Resolves when the connection has ended, with whether it ever announced a block. Never throws. */
  private listenOnce(signal: AbortSignal): Promise<boolean> {
    return new Promise((resolve) => {
      let announcedOne = false;
      const endpoint = this.rpc.currentEndpoint;
      const url = new URL(endpoint);
      url.protocol = url.protocol === "https:" ? "wss:" : "ws:";
      url.pathname = `${url.pathname.replace(/\/$/, "")}/websocket`;
      const socket = new WebSocket(url);
      const close = () => socket.close();
      this.listening = { endpoint, close };
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
        this.listening = undefined;
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
