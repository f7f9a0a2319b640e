/** Where a transition runs. There is no time in it: the state machine reads no clock. */
export interface BlockContext {
  readonly chainId: string;
  /** Of the block that is being executed. */
  readonly height: bigint;
}

/** A typed event: the type is the message's full name, each field an attribute with a JSON value. */
export interface Event {
  readonly type: string;
  readonly attributes: readonly { readonly key: string; readonly value: string }[];
}

export interface EventSink {
  emit(event: Event): void;
}

/** Charged for each read, write, byte and message type; the same in a simulation and in a block. */
export interface GasMeter {
  /** @throws what the application throws when the limit is passed. */
  consume(amount: bigint, what: string): void;
  readonly consumed: bigint;
}

/** What a transition that no transaction causes (a timer) may know. */
export interface TransitionContext extends BlockContext {
  readonly events: EventSink;
}

export interface TransactionContext extends TransitionContext {
  /** SHA-256 of the transaction's bytes. */
  readonly hash: Uint8Array;
  readonly gas: GasMeter;
}

/** Keeps events in the order in which they were emitted. */
export class EventList implements EventSink {
  readonly events: Event[] = [];

  emit(event: Event): void {
    this.events.push(event);
  }
}

/** Counts, and never refuses: for the facilitator's part, genesis and simulations. */
export class UnlimitedGas implements GasMeter {
  #consumed = 0n;

  get consumed(): bigint {
    return this.#consumed;
  }

  consume(amount: bigint, _what: string): void {
    this.#consumed += amount;
  }
}
