import {
  EventDatacenterChanged,
  EventDeploymentChanged,
  EventFulfillmentChanged,
  EventLeaseChanged,
  EventOrderChanged,
  EventParametersChanged,
} from "../generated/dcx/exchange/v1/events";

/** A typed event of the exchange (events.proto). */
export type ExchangeEvent =
  | { readonly type: "deployment"; readonly value: EventDeploymentChanged }
  | { readonly type: "order"; readonly value: EventOrderChanged }
  | { readonly type: "fulfillment"; readonly value: EventFulfillmentChanged }
  | { readonly type: "lease"; readonly value: EventLeaseChanged }
  | { readonly type: "datacenter"; readonly value: EventDatacenterChanged }
  | { readonly type: "parameters"; readonly value: EventParametersChanged };

export interface ExchangeBlock {
  readonly height: bigint;
  /** Of the block's header. */
  readonly time: Date;
  /** In the order in which they happened. */
  readonly events: readonly ExchangeEvent[];
  /** False: blocks before this one, or this one's events, could not be had any more; read the state again. */
  readonly complete: boolean;
}

/** An event as ABCI has it. */
export interface AbciEvent {
  readonly type: string;
  readonly attributes: readonly { readonly key: string; readonly value: string }[];
}

/**
 * Picks the exchange's own events out of ABCI's, in order. Every attribute is a field whose value is JSON.
 * Throws SyntaxError when one is not: the node then speaks another protocol.
 */
export function decodeExchangeEvents(events: readonly AbciEvent[]): ExchangeEvent[] {
  return events.flatMap((event) => {
    const decoded = decodeExchangeEvent(event);
    return decoded === undefined ? [] : [decoded];
  });
}

function decodeExchangeEvent(event: AbciEvent): ExchangeEvent | undefined {
  switch (event.type) {
    case "dcx.exchange.v1.EventDeploymentChanged":
      return { type: "deployment", value: EventDeploymentChanged.fromJSON(fieldsOf(event)) };
    case "dcx.exchange.v1.EventOrderChanged":
      return { type: "order", value: EventOrderChanged.fromJSON(fieldsOf(event)) };
    case "dcx.exchange.v1.EventFulfillmentChanged":
      return { type: "fulfillment", value: EventFulfillmentChanged.fromJSON(fieldsOf(event)) };
    case "dcx.exchange.v1.EventLeaseChanged":
      return { type: "lease", value: EventLeaseChanged.fromJSON(fieldsOf(event)) };
    case "dcx.exchange.v1.EventDatacenterChanged":
      return { type: "datacenter", value: EventDatacenterChanged.fromJSON(fieldsOf(event)) };
    case "dcx.exchange.v1.EventParametersChanged":
      return { type: "parameters", value: EventParametersChanged.fromJSON(fieldsOf(event)) };
    default:
      return undefined;
  }
}

function fieldsOf(event: AbciEvent): Record<string, unknown> {
  const fields = event.attributes
    // The SDK adds the place of the message that caused it.
    .filter(({ key }) => key !== "msg_index")
    .map(({ key, value }): [string, unknown] => [key, JSON.parse(value)]);
  return Object.fromEntries(fields);
}
