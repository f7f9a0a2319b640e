import { idle } from "@dcx/protocol";
import type { Runtime } from "../runtime/runtime";
import type { Serving } from "./plan";

const interval = 250;

/** A running instance and the ports of it that connections lead to. */
export interface Reachable {
  readonly id: string;
  /** This run of it: another one is asked anew. */
  readonly run: string;
  readonly ports: readonly number[];
}

interface Asked {
  readonly run: string;
  ports: readonly number[];
  readonly accepted: Set<number>;
  readonly refused: Set<number>;
  readonly stop: AbortController;
  asking: boolean;
}

/**
 * Knows which running instances have begun to accept where connections lead: one may be ready, by the rules for
 * those without a health check, before it listens. What accepted once counts until its run ends.
 */
export class Acceptance {
  readonly #asked = new Map<string, Asked>();

  constructor(
    private readonly runtime: Pick<Runtime, "network">,
    private readonly onChange: () => void,
  ) {}

  /** Asks exactly these, until they accept. */
  watch(instances: readonly Reachable[]): void {
    const runs = new Map(instances.map(({ id, run }) => [id, run]));
    for (const [id, asked] of [...this.#asked]) {
      if (runs.get(id) === asked.run) continue;
      asked.stop.abort();
      this.#asked.delete(id);
    }
    for (const { id, run, ports } of instances) {
      const asked = this.#asked.get(id) ?? {
        run,
        ports,
        accepted: new Set<number>(),
        refused: new Set<number>(),
        stop: new AbortController(),
        asking: false,
      };
      asked.ports = ports;
      this.#asked.set(id, asked);
      void this.#ask(id, asked);
    }
  }

  /** Whether an instance accepts on all of its ports; "unknown": not all have answered yet. Undefined: it has none. */
  of(id: string): Serving | undefined {
    const asked = this.#asked.get(id);
    if (asked === undefined) return "unknown";
    if (asked.ports.length === 0) return undefined;
    const missing = asked.ports.filter((port) => !asked.accepted.has(port));
    if (missing.length === 0) return "yes";
    return missing.some((port) => asked.refused.has(port)) ? "no" : "unknown";
  }

  close(): void {
    this.watch([]);
  }

  async #ask(id: string, asked: Asked): Promise<void> {
    if (asked.asking) return;
    asked.asking = true;
    const { signal } = asked.stop;
    while (!signal.aborted) {
      const before = this.of(id);
      const missing = asked.ports.filter((port) => !asked.accepted.has(port));
      await Promise.all(missing.map((port) => this.#askPort(id, port, asked)));
      if (signal.aborted) break;
      const now = this.of(id);
      if (now !== before) this.onChange();
      if (now === "yes" || now === undefined) break;
      await idle(interval, signal);
    }
    asked.asking = false;
  }

  async #askPort(id: string, port: number, asked: Asked): Promise<void> {
    try {
      const stream = await (await this.runtime.network(id)).dial(port);
      stream.on("error", () => undefined);
      stream.destroy();
      asked.accepted.add(port);
    } catch {
      asked.refused.add(port);
    }
  }
}
