import type { Duplex } from "node:stream";
import { abort, splice } from "./splice";

/** The flows of one listener, to be cut when it goes. */
export class Flows {
  readonly #streams = new Set<Duplex>();
  #cut = false;

  /** Streams that are open. */
  get size(): number {
    return this.#streams.size;
  }

  /** Cuts a stream with the others, whoever reads it. */
  hold(stream: Duplex): void {
    stream.on("error", () => undefined);
    if (this.#cut) {
      stream.destroy();
      return;
    }
    this.#streams.add(stream);
    stream.once("close", () => this.#streams.delete(stream));
  }

  /** Joins a stream that arrived with the one that `open` gets for it. Ends it, visibly, when there is none. */
  async carry(arrived: Duplex, open: () => Promise<Duplex>): Promise<void> {
    this.#streams.add(arrived);
    // It may break while the other side is still being opened.
    arrived.on("error", () => undefined);
    try {
      const other = await open();
      if (this.#cut || arrived.destroyed) {
        other.on("error", () => undefined);
        abort(other);
        abort(arrived);
        return;
      }
      this.#streams.add(other);
      await splice(arrived, other);
      this.#streams.delete(other);
    } catch {
      // Why is in the connection's status; the workload sees what it would of an unreachable service.
      abort(arrived);
    } finally {
      this.#streams.delete(arrived);
    }
  }

  /** Cuts all of them, and whatever comes after. */
  cut(): void {
    this.#cut = true;
    for (const stream of this.#streams) {
      abort(stream);
      stream.destroy();
    }
    this.#streams.clear();
  }
}
