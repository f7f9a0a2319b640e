import type { EncodedMessage } from "./transaction";

/** What blocks held since this process began: for its operator, and no part of the state. */
export class ExecutionCounts {
  readonly #messages = new Map<string, number>();
  #succeeded = 0;
  #failed = 0;

  /** Counts a transaction of a block; without messages where it could not be decoded. */
  add(messages: readonly EncodedMessage[], code: number): void {
    if (code !== 0) {
      this.#failed += 1;
      return;
    }
    this.#succeeded += 1;
    // Only types that the exchange knows succeed: there are few.
    for (const { typeUrl } of messages) this.#messages.set(typeUrl, (this.#messages.get(typeUrl) ?? 0) + 1);
  }

  /** Of messages that succeeded, by type URL. */
  get messages(): ReadonlyMap<string, number> {
    return this.#messages;
  }

  get succeeded(): number {
    return this.#succeeded;
  }

  get failed(): number {
    return this.#failed;
  }
}
