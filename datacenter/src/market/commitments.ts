import { FulfillmentState, orderKey, ResourceGroup } from "@dcx/protocol";
import { z } from "zod";
import type { ChainView } from "../chain/view";
import type { Records } from "../home/home";
import type { Commitment } from "./capacity";

/** What the chain says that the datacenter has promised: open fulfillments and active leases. */
export function commitmentsOnChain(view: ChainView): readonly Commitment[] {
  const found: Commitment[] = [];
  for (const lease of view.leases.values()) {
    if (lease.id !== undefined)
      found.push({ order: orderKey(lease.id), resources: lease.resources, collateral: lease.collateral });
  }
  for (const { id, state, resources, collateral } of view.fulfillments.values()) {
    if (id?.order === undefined || state !== FulfillmentState.OPEN) continue;
    found.push({ order: orderKey(id.order), resources, collateral });
  }
  return found;
}

const Reservation = z.object({
  resources: z.array(z.unknown()),
  collateral: z.string(),
  until: z.string(),
});

/**
 * Bids that are on their way: they count as sold from before they are sent until the view shows what became of them,
 * also when the agent dies in between. Durable.
 */
export class Reservations {
  readonly #byOrder = new Map<string, Commitment & { readonly until: bigint }>();
  readonly #records: Records;

  constructor(records: Records) {
    this.#records = records;
    for (const name of records.names(prefix)) {
      const value = records.get(name);
      if (value === undefined) continue;
      const stored = Reservation.parse(JSON.parse(value.toString("utf8")));
      this.#byOrder.set(name.slice(prefix.length), {
        order: name.slice(prefix.length),
        resources: stored.resources.map((group) => ResourceGroup.fromJSON(group)),
        collateral: BigInt(stored.collateral),
        until: BigInt(stored.until),
      });
    }
  }

  /** @param until the last height at which the bid can still appear on chain */
  hold(commitment: Commitment, until: bigint): void {
    this.#byOrder.set(commitment.order, { ...commitment, until });
    const stored: z.infer<typeof Reservation> = {
      resources: commitment.resources.map((group) => ResourceGroup.toJSON(group)),
      collateral: commitment.collateral.toString(),
      until: until.toString(),
    };
    this.#records.put(prefix + commitment.order, Buffer.from(JSON.stringify(stored)));
  }

  /** The bid is certain not to appear. */
  release(order: string): void {
    if (this.#byOrder.delete(order)) this.#records.remove(prefix + order);
  }

  /** What is still on its way as seen from `height`; forgets the rest. */
  pending(height: bigint): readonly Commitment[] {
    for (const [order, { until }] of [...this.#byOrder]) if (height >= until) this.release(order);
    return [...this.#byOrder.values()];
  }
}

const prefix = "bid/";
