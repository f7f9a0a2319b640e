import type { Lease, ResourceGroup, Terms } from "../network/snapshot";

/**
 * Whether a lease, as frozen at its match, still meets these terms, so that they apply in place: region, attributes
 * and lists admit it, the groups are the same in compute, count and collateral, and no maximum price is below what
 * its group costs. design: "Transactions", UpdateDeployment.
 */
export function meetsFrozenLease(terms: Terms, lease: Lease): boolean {
  return (
    (terms.region === "" || terms.region === lease.region) &&
    Object.entries(terms.attributes).every(([key, value]) => lease.attributes[key] === value) &&
    (terms.allowedDatacenters.length === 0 || terms.allowedDatacenters.includes(lease.datacenter)) &&
    !terms.deniedDatacenters.includes(lease.datacenter) &&
    terms.resources.length === lease.resources.length &&
    terms.resources.every((group, index) => {
      const leased = lease.resources[index];
      return leased !== undefined && sameGroup(group, leased) && group.price >= leased.price;
    })
  );
}

/** Whether an open order takes these terms without losing its bids: nothing but `persist` and higher prices differ. */
export function keepsOpenOrder(now: Terms, then: Terms): boolean {
  return (
    now.region === then.region &&
    sameList(entries(now.attributes), entries(then.attributes)) &&
    sameList(now.allowedDatacenters, then.allowedDatacenters) &&
    sameList(now.deniedDatacenters, then.deniedDatacenters) &&
    now.resources.length === then.resources.length &&
    then.resources.every((group, index) => {
      const before = now.resources[index];
      return before !== undefined && sameGroup(group, before) && group.price >= before.price;
    })
  );
}

export function sameTerms(a: Terms, b: Terms): boolean {
  return (
    a.persist === b.persist && keepsOpenOrder(a, b) && a.resources.every((g, i) => g.price === b.resources[i]?.price)
  );
}

/** All but the price. */
function sameGroup(a: ResourceGroup, b: ResourceGroup): boolean {
  return (
    a.cpu === b.cpu &&
    a.memory === b.memory &&
    a.disk === b.disk &&
    a.count === b.count &&
    a.collateral === b.collateral &&
    (a.gpu?.count ?? 0) === (b.gpu?.count ?? 0) &&
    (a.gpu?.vendor ?? "") === (b.gpu?.vendor ?? "") &&
    (a.gpu?.model ?? "") === (b.gpu?.model ?? "")
  );
}

function entries(map: Readonly<Record<string, string>>): readonly string[] {
  return Object.keys(map)
    .sort()
    .map((key) => `${key}=${map[key]}`);
}

/** Lists in which order means nothing. */
function sameList(a: readonly string[], b: readonly string[]): boolean {
  const left = [...a].sort();
  const right = [...b].sort();
  return left.length === right.length && left.every((entry, index) => entry === right[index]);
}
