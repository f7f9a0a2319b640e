import { type BlockContext, type Event, EventList } from "./context";
import { electValidators } from "./elections";
import { decideProposals } from "./proposals";
import { shareFees } from "./rewards";
import type { KeyValueStore } from "./store";
import type { ValidatorUpdate } from "./validators";

/** What a block has left to the engine. */
export interface BlockEnd {
  readonly events: readonly Event[];
  /** In the engine's set from two blocks later on. */
  readonly validatorUpdates: readonly ValidatorUpdate[];
}

/**
 * What follows a block's transactions: the fees that they have paid, which are in the fee pool, are shared among the
 * validators, proposals whose vote ends are decided, and the set is elected that follows from the stake as it is now.
 */
export function endBlock(store: KeyValueStore, context: BlockContext, fees: bigint): BlockEnd {
  const events = new EventList();
  shareFees(store, fees);
  decideProposals(store, { chainId: context.chainId, height: context.height, events });
  const validatorUpdates = electValidators(store);
  return { events: events.events, validatorUpdates };
}
