import type { Genesis } from "@dcx/protocol";
import type { Conduct } from "../state/begin-block";
import type { BlockContext, Event, TransactionContext } from "../state/context";
import type { BlockEnd } from "../state/end-block";
import type { KeyValueReader, KeyValueStore } from "../state/store";
import type { ValidatorUpdate } from "../state/validators";
import type { EncodedMessage } from "./transaction";

/** Who a message comes from: an account's transaction, or the facilitator's part of the block. */
type Origin = "transaction" | "facilitator";

/** What the application asks of the state machine: pure functions of a store. */
export interface StateMachine {
  initializeGenesis(store: KeyValueStore, genesis: Genesis): void;
  /** The validator set of the state, with powers; empty: stake has elected nobody. */
  validatorSet(committed: KeyValueReader): readonly ValidatorUpdate[];
  beginBlock(store: KeyValueStore, context: BlockContext, conduct: Conduct): readonly Event[];
  /** @param fees of the block, in the fee pool already */
  endBlock(store: KeyValueStore, context: BlockContext, fees: bigint): BlockEnd;
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
