import { MsgSubmitLease, MsgSubmitStaleLease, type OrderId } from "@dcx/protocol";
import { cheapestBid } from "./fulfillments";
import { readOrderKey, readUint64, tables, uint64Key } from "./keys";
import { fulfillmentIdOf, getParameters, present } from "./records";
import type { KeyValueReader } from "./store";

/** A message of the facilitator's part of a block. */
export interface FacilitatorMessage {
  readonly typeUrl: string;
  readonly value: Uint8Array;
}

const submitLeaseType = "/dcx.exchange.v1.MsgSubmitLease";
const submitStaleLeaseType = "/dcx.exchange.v1.MsgSubmitStaleLease";

/** What a message takes in a block besides its value and type: the envelope of an unsigned transaction, at most. */
const envelopeBytes = 64;

/** Bytes that a message is counted with against the bound. */
export function facilitatorMessageBytes(message: FacilitatorMessage): number {
  return message.typeUrl.length + message.value.length + envelopeBytes;
}

interface Due {
  /** Due height, then id, as bytes. */
  readonly rank: string;
  readonly order: OrderId;
  readonly table: typeof tables.matchable | typeof tables.stale;
}

/**
 * MatchOpenOrders and InvalidateStaleLeases for the block of that height: a pure function of the state committed before
 * it. Ordered by (due height, id), a match before a stale lease of the same; cut off at the parameters' bounds in
 * number and bytes, and what is left comes in the blocks after.
 *
 * specification: "Marketplace Facilitators"; design: "Facilitators".
 * PERF: O(what is due), at most facilitator-max-transactions of each kind read.
 */
export function facilitatorPart(committed: KeyValueReader, height: bigint): FacilitatorMessage[] {
  const parameters = getParameters(committed);
  const most = parameters.facilitatorMaxTransactions;
  const due = [...dueIn(committed, tables.matchable, height, most), ...dueIn(committed, tables.stale, height, most)];
  // Stable: of the same rank the match stays first.
  due.sort((left, right) => (left.rank < right.rank ? -1 : left.rank > right.rank ? 1 : 0));
  const messages: FacilitatorMessage[] = [];
  let bytes = 0;
  for (const one of due.slice(0, most)) {
    const message = messageFor(committed, one);
    bytes += facilitatorMessageBytes(message);
    if (bytes > parameters.facilitatorMaxBytes) break;
    messages.push(message);
  }
  return messages;
}

function dueIn(committed: KeyValueReader, table: Due["table"], height: bigint, limit: number): Due[] {
  const entries = [...committed.range(table, table + uint64Key(height + 1n), { limit })];
  return entries.map(([key]) => ({
    rank: key.slice(table.length),
    order: readOrderKey(key.slice(table.length + 8)),
    table,
  }));
}

function messageFor(committed: KeyValueReader, due: Due): FacilitatorMessage {
  if (due.table === tables.stale)
    return {
      typeUrl: submitStaleLeaseType,
      value: MsgSubmitStaleLease.encode({ lease: due.order }).finish(),
    };
  const cheapest = present(cheapestBid(committed, due.order), "the cheapest fulfillment of a matchable order");
  return {
    typeUrl: submitLeaseType,
    value: MsgSubmitLease.encode({ fulfillment: fulfillmentIdOf(cheapest) }).finish(),
  };
}

/**
 * The first height at which the facilitator's part is not empty as things are; undefined: never. With
 * `nextTimerHeight` it says until when an empty block changes nothing.
 */
export function nextFacilitatorHeight(store: KeyValueReader): bigint | undefined {
  let next: bigint | undefined;
  for (const table of [tables.matchable, tables.stale])
    for (const [key] of store.range(table, `${table}\xff`, { limit: 1 })) {
      const height = readUint64(key, table.length);
      if (next === undefined || height < next) next = height;
    }
  return next;
}
