import type Docker from "dockerode";
import { z } from "zod";
import { restartDelays } from "../restart-delays";
import { ignoreMissing } from "./engine-answers";

export interface RestartsOptions {
  readonly engine: Docker;
  /** Of the containers that are to run. */
  readonly label: string;
  readonly logger: { warn(details: object, message: string): void };
}

interface Ended {
  /** Milliseconds before the next start. */
  delay: number;
  count: number;
  timer?: NodeJS.Timeout | undefined;
}

const Version = z.object({ Components: z.array(z.object({ Name: z.string() })).nullish() });

/** Whether the engine waits longer and longer before it starts again what ends, as Docker does and Podman does not. */
export async function restartsWithDelays(engine: Docker): Promise<boolean> {
  const { Components } = Version.parse(await engine.version());
  return !(Components ?? []).some(({ Name }) => /podman/i.test(Name));
}

/**
 * Starts again what ends, each time later than the time before, in place of an engine that would do so at once: a program
 * that ends as soon as it begins would take its neighbours' processor time.
 */
export class Restarts {
  readonly #ended = new Map<string, Ended>();
  /** Those that are to end. */
  readonly #leaving = new Set<string>();
  #closed = false;

  constructor(private readonly options: RestartsOptions) {}

  /** How often a container was started again by this. */
  of(container: string): number {
    return this.#ended.get(container)?.count ?? 0;
  }

  /** Looks for what has ended. To be called after each report of the engine's. @throws what the engine does */
  async look(): Promise<void> {
    const { engine, label } = this.options;
    const found = await engine.listContainers({ all: true, filters: { label: [label], status: ["exited"] } });
    await Promise.all(found.map(({ Id }) => this.#schedule(Id)));
  }

  /** While `end` ends a container it is not started again. */
  async leave(container: Docker.Container, end: () => Promise<void>): Promise<void> {
    const id = (await container.inspect().catch(ignoreMissing))?.Id;
    if (id === undefined) return await end();
    this.#leaving.add(id);
    const ended = this.#ended.get(id);
    clearTimeout(ended?.timer);
    // Where it can't be ended it is to be started again.
    if (ended !== undefined) ended.timer = undefined;
    try {
      await end();
      this.#ended.delete(id);
    } finally {
      this.#leaving.delete(id);
    }
  }

  close(): void {
    this.#closed = true;
    for (const { timer } of this.#ended.values()) clearTimeout(timer);
  }

  async #schedule(id: string): Promise<void> {
    const container = this.options.engine.getContainer(id);
    const state = (await container.inspect().catch(ignoreMissing))?.State;
    const known = this.#ended.get(id) ?? { delay: restartDelays.first, count: 0 };
    if (state === undefined || state.Running || known.timer !== undefined) return;
    if (this.#closed || this.#leaving.has(id)) return;
    this.#ended.set(id, known);
    const ran = Date.parse(state.FinishedAt) - Date.parse(state.StartedAt);
    if (ran >= restartDelays.settled) known.delay = restartDelays.first;
    known.timer = setTimeout(() => void this.#start(container, known), known.delay);
  }

  async #start(container: Docker.Container, ended: Ended): Promise<void> {
    ended.delay = Math.min(ended.delay * 2, restartDelays.most);
    ended.count += 1;
    try {
      await container.start().catch(ignoreMissing);
    } catch (error) {
      this.options.logger.warn({ container: container.id, error: String(error) }, "an instance can't be started again");
    }
    ended.timer = undefined;
    // What could not be started says nothing of itself.
    await this.look().catch(() => {});
  }
}
