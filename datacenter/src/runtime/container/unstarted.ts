import type Docker from "dockerode";
import { ignoreLeaving } from "./engine-answers";

/**
 * Containers that are created and not started. Those that nobody is about to start are of an agent that was killed in
 * between: an engine never starts them by itself.
 */
export class UnstartedContainers {
  readonly #starting = new Set<string>();

  /** @param label of the containers that are to run */
  constructor(
    private readonly engine: Docker,
    private readonly label: string,
  ) {}

  /** While `start` creates and starts the container of this name it is nobody else's. */
  async starting(name: string, start: () => Promise<void>): Promise<void> {
    this.#starting.add(name);
    try {
      await start();
    } catch (error) {
      this.#starting.delete(name);
      // One of this name may have come before, which was taken for this one.
      await this.remove().catch(() => undefined);
      throw error;
    }
    this.#starting.delete(name);
  }

  /**
   * Removes them; nothing has run in them yet. To be called at first, and whenever one was created: an engine does what it was
   * asked for also after who asked has gone. @throws what the engine does
   */
  async remove(): Promise<void> {
    const filters = { label: [this.label], status: ["created"] };
    const found = await this.engine.listContainers({ all: true, filters });
    const left = found.filter(({ Names }) => !Names.some((name) => this.#starting.has(name.replace(/^\//, ""))));
    await Promise.all(
      left.map(({ Id }) => this.engine.getContainer(Id).remove({ force: true, v: true }).catch(ignoreLeaving)),
    );
  }
}
