import { FulfillmentState, type Lease, type OrderId, orderKey } from "@dcx/protocol";
import { z } from "zod";
import type { ChainView } from "../chain/view";
import type { Records } from "../home/home";

const Draining = z.object({
  /** ISO time. */
  since: z.string(),
  /** Whether the agent is to end once it is drained. */
  exit: z.boolean(),
});
export type Draining = z.infer<typeof Draining>;

/** Whether the datacenter leaves in good order. Durable: an agent that is started again goes on. */
export class DrainingState {
  readonly #records: Records;
  #now: Draining | undefined;

  constructor(records: Records) {
    this.#records = records;
    const stored = records.get(name);
    this.#now = stored === undefined ? undefined : Draining.parse(JSON.parse(stored.toString("utf8")));
  }

  get now(): Draining | undefined {
    return this.#now;
  }

  /** Begins, or changes how it ends. */
  begin(options: { readonly exit: boolean }): Draining {
    const next = { since: this.#now?.since ?? new Date().toISOString(), exit: options.exit };
    this.#records.put(name, Buffer.from(JSON.stringify(next)));
    this.#now = next;
    return next;
  }

  /** Sells again. Notices that were given stay given. */
  end(): void {
    this.#records.remove(name);
    this.#now = undefined;
  }
}

const name = "draining";

/** The active leases that no notice was given for, in the order of their ids. Pure. */
export function leasesWithoutNotice(leases: Iterable<Lease>): readonly OrderId[] {
  const without = [...leases].flatMap(({ id, noticeEndHeight }) =>
    id === undefined || noticeEndHeight !== 0n ? [] : [id],
  );
  return without.sort((a, b) => (orderKey(a) < orderKey(b) ? -1 : 1));
}

/** What a datacenter that drains still waits for. */
export interface DrainProgress {
  readonly leases: number;
  /** Of them without notice yet. */
  readonly withoutNotice: number;
  /** Open bids, which may still become leases. */
  readonly bids: number;
  /** Instances that are not removed yet. */
  readonly instances: number;
  /** Height at which the last notice ends; absent where none is running. */
  readonly lastEnd?: bigint;
  /** Nothing of all that. */
  readonly drained: boolean;
}

/** @param pending bids that are on their way to the chain. Pure. */
export function drainProgress(view: ChainView, pending: number, instances: number): DrainProgress {
  const leases = [...view.leases.values()];
  const bids = [...view.fulfillments.values()].filter(({ state }) => state === FulfillmentState.OPEN).length + pending;
  const ends = leases.map(({ noticeEndHeight }) => noticeEndHeight).filter((height) => height !== 0n);
  const lastEnd = ends.sort((a, b) => Number(b - a))[0];
  return {
    leases: leases.length,
    withoutNotice: leasesWithoutNotice(leases).length,
    bids,
    instances,
    ...(lastEnd === undefined ? {} : { lastEnd }),
    drained: leases.length === 0 && bids === 0 && instances === 0,
  };
}
