import type {
  EventDatacenterChanged,
  EventDeploymentChanged,
  EventFulfillmentChanged,
  EventLeaseChanged,
  EventOrderChanged,
} from "../generated/dcx/exchange/v1/events";

/** A typed event of the exchange (events.proto). */
export type ExchangeEvent =
  | { readonly type: "deployment"; readonly value: EventDeploymentChanged }
  | { readonly type: "order"; readonly value: EventOrderChanged }
  | { readonly type: "fulfillment"; readonly value: EventFulfillmentChanged }
  | { readonly type: "lease"; readonly value: EventLeaseChanged }
  | { readonly type: "datacenter"; readonly value: EventDatacenterChanged };

export interface ExchangeBlock {
  readonly height: bigint;
  /** Of the block's header. */
  readonly time: Date;
  /** In the order in which they happened. */
  readonly events: readonly ExchangeEvent[];
  /** False: blocks before this one, or this one's events, could not be had any more; read the state again. */
  readonly complete: boolean;
}
