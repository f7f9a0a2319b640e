import type { Genesis } from "@dcx/protocol";
import type { BlockContext, Event, TransactionContext } from "../state/context";
import type { KeyValueReader, KeyValueStore } from "../state/store";
import type { EncodedMessage } from "./transaction";

/** Who a message comes from: an account's transaction, or the facilitator's part of the block. */
export type Origin = "transaction" | "facilitator";

/** What the application asks of the state machine: pure functions of a store. */
export interface StateMachine {
  initializeGenesis(store: KeyValueStore, genesis: Genesis): void;
  beginBlock(store: KeyValueStore, context: BlockContext): readonly Event[];
  /** The facilitator's messages for the block of that height, from the state committed before it. */
  facilitatorPart(committed: KeyValueReader, height: bigint): readonly EncodedMessage[];
  /** @throws ExchangeError: the message is refused, and the store is to be thrown away. */
  applyMessage(
    store: KeyValueStore,
    context: TransactionContext,
    message: EncodedMessage,
    origin: Origin,
  ): { readonly response: Uint8Array };
  /** Addresses whose signatures the message needs. @throws ExchangeError when it can't be decoded. */
  requiredSigners(message: EncodedMessage): readonly string[];
  /** Whether a part of every block is kept for the message. Only asked of messages whose signers are known. */
  hasReservedPlace(committed: KeyValueReader, message: EncodedMessage): boolean;
}
