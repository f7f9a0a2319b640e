import { request } from "node:http";
import type { Duplex } from "node:stream";
import { HEALTH_CHECK_DEFAULTS, idle, type ManifestHealthCheck } from "@dcx/protocol";
import type { Runtime } from "../runtime/runtime";
import type { Serving } from "./plan";

/** How long an instance without a health check has to run without an exit before it counts as ready. */
const settleMilliseconds = 3_000;

/** Milliseconds after which an instance that has not served yet is asked again, and by how much longer each time. */
const firstPause = 50;
const growth = 1.5;

/** A running instance to look after. */
export interface Watched {
  readonly id: string;
  /** This run of it: another one is looked at anew. */
  readonly run: string;
  readonly startedAt: Date;
  readonly check: ManifestHealthCheck | undefined;
  /** The workload's first port. */
  readonly firstPort: number | undefined;
}

export interface Health {
  readonly serving: Serving;
  /** Why it does not serve, for a person. */
  readonly message?: string;
  /** Whether it has served in this run. */
  readonly served: boolean;
}

/**
 * Knows which running instances serve. With a health check: it passes, and goes on until it has failed `retries`
 * times in a row; until it has passed once in a run it is done more often than at its interval. Without one: the instance
 * has run for some seconds without an exit.
 */
export class HealthMonitor {
  readonly #watches = new Map<string, { readonly watched: Watched; readonly stop: AbortController; health: Health }>();

  constructor(
    private readonly runtime: Pick<Runtime, "network" | "execute">,
    private readonly onChange: () => void,
  ) {}

  /** Looks after exactly these. */
  watch(instances: readonly Watched[]): void {
    const wanted = new Map(instances.map((each) => [each.id, each]));
    for (const [id, { watched, stop }] of [...this.#watches]) {
      const next = wanted.get(id);
      if (next !== undefined && same(next, watched)) continue;
      stop.abort();
      this.#watches.delete(id);
    }
    for (const watched of instances) if (!this.#watches.has(watched.id)) this.#begin(watched);
  }

  of(id: string): Health | undefined {
    return this.#watches.get(id)?.health;
  }

  close(): void {
    this.watch([]);
  }

  #begin(watched: Watched): void {
    const stop = new AbortController();
    const serving: Serving = watched.check === undefined ? "no" : "unknown";
    this.#watches.set(watched.id, { watched, stop, health: { serving, served: false } });
    if (watched.check === undefined) void this.#settle(watched, stop.signal);
    else void this.#probe(watched, watched.check, stop.signal);
  }

  async #settle(watched: Watched, signal: AbortSignal): Promise<void> {
    const left = settleMilliseconds - (Date.now() - watched.startedAt.getTime());
    if (left > 0) await idle(left, signal);
    this.#set(watched, { serving: "yes", served: true }, signal);
  }

  async #probe(watched: Watched, check: ManifestHealthCheck, signal: AbortSignal): Promise<void> {
    const { interval, timeout, retries } = { ...HEALTH_CHECK_DEFAULTS, ...check };
    let failures = 0;
    let untilServed = firstPause;
    while (!signal.aborted) {
      const problem = await this.#problem(watched, check, timeout);
      const before = this.of(watched.id);
      failures = problem === undefined ? 0 : failures + 1;
      if (problem === undefined) this.#set(watched, { serving: "yes", served: true }, signal);
      else if (before?.serving !== "yes" || failures >= retries) {
        this.#set(watched, { serving: "no", message: problem, served: before?.served ?? false }, signal);
      }
      await idle(this.of(watched.id)?.served === true ? interval : Math.min(interval, untilServed), signal);
      untilServed *= growth;
    }
  }

  #set(watched: Watched, health: Health, signal: AbortSignal): void {
    const watch = this.#watches.get(watched.id);
    if (signal.aborted || watch === undefined || watch.watched !== watched) return;
    const changed = watch.health.serving !== health.serving || watch.health.message !== health.message;
    watch.health = health;
    if (changed) this.onChange();
  }

  /** What is wrong, or nothing. */
  async #problem(watched: Watched, check: ManifestHealthCheck, timeout: number): Promise<string | undefined> {
    try {
      if (check.command !== undefined) {
        const code = await this.runtime.execute(watched.id, check.command, timeout);
        return code === 0 ? undefined : `its health check's command exited with ${code}`;
      }
      const port = check.port ?? watched.firstPort;
      if (port === undefined) return "its health check names no port and it has none";
      const stream = await within(timeout, (await this.runtime.network(watched.id)).dial(port));
      try {
        return check.http === undefined ? undefined : await httpProblem(stream, check.http, timeout);
      } finally {
        stream.destroy();
      }
    } catch (error) {
      const cause = error instanceof Error ? error.message : String(error);
      return `its health check failed: ${cause}`;
    }
  }
}

function same(a: Watched, b: Watched): boolean {
  return a.run === b.run && a.firstPort === b.firstPort && JSON.stringify(a.check) === JSON.stringify(b.check);
}

function httpProblem(stream: Duplex, path: string, timeout: number): Promise<string | undefined> {
  return new Promise((resolve, reject) => {
    const asked = request(
      { path, method: "GET", headers: { host: "localhost", connection: "close" }, createConnection: () => stream },
      (response) => {
        response.resume();
        const status = response.statusCode ?? 0;
        resolve(status >= 200 && status < 400 ? undefined : `GET ${path} answered ${status}`);
      },
    );
    asked.setTimeout(timeout, () => asked.destroy(new Error(`GET ${path} did not answer within ${timeout} ms`)));
    const timer = setTimeout(
      () => asked.destroy(new Error(`GET ${path} did not answer within ${timeout} ms`)),
      timeout,
    );
    asked.once("close", () => clearTimeout(timer));
    asked.once("error", reject);
    asked.end();
  });
}

/** Waits no longer than that for a stream; one that comes later is closed. */
async function within(milliseconds: number, stream: Promise<Duplex>): Promise<Duplex> {
  const stop = new AbortController();
  const late = idle(milliseconds, stop.signal).then(() => undefined);
  const first = await Promise.race([stream, late]).finally(() => stop.abort());
  if (first !== undefined) return first;
  void stream.then(
    (opened) => opened.destroy(),
    () => {},
  );
  throw new Error(`nothing accepted within ${milliseconds} ms`);
}
