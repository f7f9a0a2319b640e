import { type Deployment, ExchangeErrorCode, type Infrastructure, type Lease, type ManagerLimits } from "@dcx/protocol";
import { ExchangeError } from "./errors";
import { describeDeployment } from "./keys";
import { totalRate } from "./quantities";
import { type InfrastructureId, leases, present, slots, withGeneration } from "./records";
import type { KeyValueReader } from "./store";

/** Whose hand changes a deployment: its tenant's, or that of a manager within limits. */
export type Role =
  | { readonly kind: "tenant" }
  | { readonly kind: "manager"; readonly limits: ManagerLimits | undefined };

/**
 * The role of a sender.
 * @throws ExchangeError Unauthorized for a stranger, ManagerLimit for a manager whose time is over
 */
export function roleOf(deployment: Deployment, sender: string, height: bigint): Role {
  const id = present(deployment.id, "id of a deployment");
  if (sender === id.tenant) return { kind: "tenant" };
  const manager = deployment.managers.find((candidate) => candidate.address === sender);
  if (manager === undefined)
    throw new ExchangeError(
      ExchangeErrorCode.Unauthorized,
      `${sender} is neither tenant nor manager of deployment ${describeDeployment(id)}`,
    );
  const { limits } = manager;
  if (limits !== undefined && limits.endHeight !== 0n && height > limits.endHeight)
    throw new ExchangeError(
      ExchangeErrorCode.ManagerLimit,
      `${sender} could act for deployment ${describeDeployment(id)} up to block ${limits.endHeight}`,
    );
  return { kind: "manager", limits };
}

/** Whether a manager may end a lease where it is. @throws ExchangeError ManagerLimit */
export function checkLeaseLimits(role: Role, { datacenter, region }: Lease): void {
  if (role.kind === "tenant" || role.limits === undefined) return;
  const { datacenters, regions } = role.limits;
  if (regions.length > 0 && !regions.includes(region))
    throw limitRefusal(`the lease is in region "${region}", not in ${regions.join(", ")}`);
  if (datacenters.length > 0 && !datacenters.includes(datacenter))
    throw limitRefusal(`the lease is with ${datacenter}, which is not among the datacenters that the manager may use`);
}

export function limitRefusal(problem: string): ExchangeError {
  return new ExchangeError(ExchangeErrorCode.ManagerLimit, `the manager's limits: ${problem}`);
}

/**
 * Limits hold for the deployment as a whole, as the update leaves it: the highest rent and the number of units count
 * the infrastructures of everybody, the rent also what leases cost that are being replaced. Where they stand (region, datacenters) is checked for those that the update names, as
 * they were and as they will be.
 * @throws ExchangeError ManagerLimit
 */
export function checkLimits(
  limits: ManagerLimits | undefined,
  after: readonly Infrastructure[],
  named: readonly Infrastructure[],
  before: readonly Infrastructure[],
): void {
  if (limits === undefined || named.length === 0) return;
  const rate = maximumRent(after);
  if (limits.maxRate !== "" && rate > BigInt(limits.maxRate))
    throw limitRefusal(`the deployment could cost ${rate} a block, the most is ${limits.maxRate}`);
  const count = after.reduce((sum, terms) => terms.resources.reduce((own, group) => own + group.count, sum), 0);
  if (limits.maxCount !== 0 && count > limits.maxCount)
    throw limitRefusal(`the deployment would have ${count} compute units, the most is ${limits.maxCount}`);
  for (const terms of [...named, ...before]) {
    if (limits.regions.length > 0 && !limits.regions.includes(terms.region))
      throw limitRefusal(`region "${terms.region}" of ${terms.name} is not among ${limits.regions.join(", ")}`);
    const { allowedDatacenters } = terms;
    const confined =
      allowedDatacenters.length > 0 && allowedDatacenters.every((address) => limits.datacenters.includes(address));
    if (limits.datacenters.length > 0 && !confined)
      throw limitRefusal(`${terms.name} must allow only datacenters that the manager may use`);
  }
}

/**
 * An old lease and its successor both take rent: the limit on it holds for the sum.
 * @param after the deployment as the update has left it, with its orders
 * @throws ExchangeError ManagerLimit
 */
export function checkRentMeanwhile(store: KeyValueReader, limits: ManagerLimits | undefined, after: Deployment): void {
  if (limits === undefined || limits.maxRate === "") return;
  const deployment = present(after.id, "id of a deployment");
  const all = after.infrastructures.flatMap(({ terms }) => terms ?? []);
  const replaced = all.flatMap(({ name }) => replacedLease(store, { deployment, name }) ?? []);
  const rate = replaced.reduce((sum, lease) => sum + BigInt(lease.rate), maximumRent(all));
  if (replaced.length > 0 && rate > BigInt(limits.maxRate))
    throw limitRefusal(
      `the deployment could cost ${rate} a block while leases and their successors run both, the most is ${limits.maxRate}`,
    );
}

/** What there is, at its maximum prices: micro-units per block, scaled. */
function maximumRent(infrastructures: readonly Infrastructure[]): bigint {
  return infrastructures.reduce((sum, terms) => sum + totalRate(terms.resources), 0n);
}

/** The lease of an infrastructure for which another is on its way. */
function replacedLease(store: KeyValueReader, id: InfrastructureId): Lease | undefined {
  const slot = slots.get(store, id);
  if (slot === undefined || slot.lease === 0 || (slot.order === 0 && slot.successor === 0)) return undefined;
  return leases.need(store, withGeneration(id, slot.lease));
}
