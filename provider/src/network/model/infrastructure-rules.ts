import { keepsOpenOrder, meetsFrozenLease, sameTerms } from "../../plan/frozen-lease";
import type { ActualInfrastructure, Terms } from "../snapshot";
import { fits, type Holder, rateOf } from "./holder";

// What becomes of one infrastructure, as on the exchange.

interface Opening {
  /** Account that declared the terms. */
  readonly by: string;
  readonly height: bigint;
  /** Blocks until the order is matched. */
  readonly wait: bigint;
}

/** With a new order for these terms. */
export function opened(
  terms: Terms,
  now: ActualInfrastructure | undefined,
  { by, height, wait }: Opening,
  generation: number,
): ActualInfrastructure {
  const replaces = now?.lease !== undefined;
  return {
    terms,
    declaredBy: by,
    order: { generation, openedHeight: height, dueHeight: height + wait, offers: [], replaces },
    lease: now?.lease,
    successor: undefined,
    ended: undefined,
  };
}

/** After an update that names it with these terms. */
export function changed(now: ActualInfrastructure | undefined, terms: Terms, opening: Opening): ActualInfrastructure {
  const generation = (now?.order?.generation ?? now?.lease?.generation ?? 0) + 1;
  if (now === undefined || (now.lease === undefined && now.order === undefined)) {
    return opened(terms, undefined, opening, generation);
  }
  if ((now.order !== undefined || now.successor !== undefined) && sameTerms(now.terms, terms)) {
    return now;
  }
  // A lease under notice goes whatever the terms.
  const kept = now.lease !== undefined && now.lease.noticeEnd === undefined && meetsFrozenLease(terms, now.lease);
  if (kept) {
    return { ...now, terms, order: undefined, successor: undefined };
  }
  return now.lease === undefined && keepsOpenOrder(now.terms, terms)
    ? { ...now, terms }
    : opened(terms, now, opening, generation);
}

/** One block later: an order that is due is matched, a successor that has the manifest takes over. */
export function advanced(
  one: ActualInfrastructure,
  version: string,
  holders: ReadonlyMap<string, Holder>,
  height: bigint,
): ActualInfrastructure {
  const served = (address: string): boolean => holders.get(address)?.manifests.has(version) ?? false;
  if (one.successor !== undefined) {
    fetchFromOthers(one.successor.datacenter, version, holders);
  }
  if (one.successor !== undefined && served(one.successor.datacenter)) {
    return { ...one, lease: { ...one.successor, confirmedVersion: version }, successor: undefined };
  }
  if (one.order !== undefined && height >= one.order.dueHeight) {
    return matched(one, one.order, holders, height);
  }
  if (one.lease !== undefined && one.lease.confirmedVersion !== version && served(one.lease.datacenter)) {
    return { ...one, lease: { ...one.lease, confirmedVersion: version } };
  }
  return one;
}

/** With the lease of the cheapest that fits, if one does. */
function matched(
  one: ActualInfrastructure,
  order: NonNullable<ActualInfrastructure["order"]>,
  holders: ReadonlyMap<string, Holder>,
  height: bigint,
): ActualInfrastructure {
  const { terms } = one;
  const [winner] = [...holders.values()]
    .filter(
      (holder) =>
        fits(holder, terms) && !(order.replaces && one.lease?.datacenter === holder.address && holders.size > 1),
    )
    .sort((a, b) => (rateOf(a, terms) < rateOf(b, terms) ? -1 : 1));
  if (winner === undefined) {
    return one;
  }
  const lease = {
    generation: order.generation,
    datacenter: winner.address,
    region: winner.region,
    attributes: winner.attributes,
    resources: terms.resources.map((group) => ({ ...group, price: winner.asks })),
    rate: rateOf(winner, terms),
    startHeight: height,
    confirmedVersion: undefined,
    noticeEnd: undefined,
  };
  return one.lease === undefined ? { ...one, order: undefined, lease } : { ...one, order: undefined, successor: lease };
}

/** Holders fetch a manifest from one another. */
function fetchFromOthers(datacenter: string, version: string, holders: ReadonlyMap<string, Holder>): void {
  const found = [...holders.values()].find(({ up, manifests }) => up && manifests.has(version));
  const envelope = found?.manifests.get(version);
  if (envelope !== undefined) {
    holders.get(datacenter)?.manifests.set(version, envelope);
  }
}
