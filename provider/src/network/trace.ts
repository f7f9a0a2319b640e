import { AsyncLocalStorage } from "node:async_hooks";
import { appendFileSync } from "node:fs";
import type { NetworkDriver } from "./driver";

/**
 * How long the network was awaited, told for each operation: `DCX_TRACE=<file>` appends a line of JSON to that file when
 * one ends. What a whole run awaited is the union of all `awaited`, for operations run beside one another. A group
 * commit, which awaits on behalf of several resources, is an operation of its own (`Commit`, with the deployment's id).
 */
export interface TraceLine {
  /** The request (`Check`, `Diff`, `Read`, `Create`, …), or `Commit`. */
  readonly operation: string;
  readonly urn: string;
  /** Milliseconds since 1970. */
  readonly start: number;
  readonly end: number;
  /** Time in which at least one call to the network was under way. */
  readonly driverMilliseconds: number;
  /** That time as spans, in order and apart from one another, in milliseconds since 1970. */
  readonly awaited: readonly Span[];
}

export type Span = readonly [from: number, to: number];

export class Trace {
  readonly #current = new AsyncLocalStorage<Span[]>();

  private constructor(readonly write: (line: TraceLine) => void) {}

  /** Absent where nobody asked for it. */
  static of(environment: NodeJS.ProcessEnv): Trace | undefined {
    const file = environment["DCX_TRACE"];
    return file === undefined || file === ""
      ? undefined
      : new Trace((line) => appendFileSync(file, `${JSON.stringify(line)}\n`));
  }

  static to(write: (line: TraceLine) => void): Trace {
    return new Trace(write);
  }

  /** Runs `work` and tells how long it awaited the network. */
  async operation<T>(operation: string, urn: string, work: () => Promise<T>): Promise<T> {
    const spans: Span[] = [];
    const start = now();
    try {
      return await this.#current.run(spans, work);
    } finally {
      const awaited = union(spans);
      const driverMilliseconds = awaited.reduce((sum, [from, to]) => sum + to - from, 0);
      this.write({ operation, urn, start, end: now(), driverMilliseconds, awaited });
    }
  }

  /** The same driver; what is awaited of it counts for the operation that calls. */
  watch(driver: NetworkDriver): NetworkDriver {
    return new Proxy(driver, {
      get: (target, property) => {
        const member: unknown = Reflect.get(target, property);
        return typeof member === "function"
          ? (...args: unknown[]) => this.#awaited(() => Reflect.apply(member, target, args))
          : member;
      },
    });
  }

  #awaited(call: () => unknown): unknown {
    const spans = this.#current.getStore();
    const answer = call();
    if (spans !== undefined && answer instanceof Promise) {
      const from = now();
      const done = (): void => void spans.push([from, now()]);
      answer.then(done, done);
    }
    return answer;
  }
}

/** The same time as spans that do not touch one another. */
export function union(spans: readonly Span[]): readonly Span[] {
  const apart: [number, number][] = [];
  for (const [from, to] of [...spans].sort(([a], [b]) => a - b)) {
    const last = apart.at(-1);
    if (last !== undefined && from <= last[1]) {
      last[1] = Math.max(last[1], to);
    } else {
      apart.push([from, to]);
    }
  }
  return apart;
}

function now(): number {
  return performance.timeOrigin + performance.now();
}
