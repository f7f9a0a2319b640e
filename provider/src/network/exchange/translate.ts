import {
  type Attribute,
  type ResourceGroup as ChainGroup,
  type Lease as ChainLease,
  type Manager as ChainManager,
  CloseReason,
  type Datacenter,
  DeploymentState,
  type Infrastructure,
  type InfrastructureRecord,
  LeaseState,
  type MsgSubmitDeployment,
  type MsgUpdateDeployment,
  OrderState,
  type QueryDeploymentResponse,
  type QuoteTerms,
} from "@dcx/protocol";
import type { DatacenterRecord, SubmitDeployment, UpdateDeployment } from "../driver";
import type {
  ActualDeployment,
  ActualInfrastructure,
  Ended,
  Lease,
  Manager,
  ResourceGroup,
  Snapshot,
  Terms,
} from "../snapshot";

/** Between the exchange's messages and the provider's own words. */

export function snapshotOf(chain: string, answer: QueryDeploymentResponse): Snapshot {
  return { chain, height: answer.height, balance: answer.balance, deployment: deploymentOf(answer) };
}

function deploymentOf(answer: QueryDeploymentResponse): ActualDeployment | undefined {
  const { deployment } = answer;
  if (deployment?.id === undefined) {
    return undefined;
  }
  const change = deployment.lastChange;
  return {
    tenant: deployment.id.tenant,
    sequence: deployment.id.sequence,
    active: deployment.state === DeploymentState.ACTIVE,
    revision: deployment.revision,
    incarnation: deployment.incarnation,
    version: hex(deployment.version),
    manifestEntries: deployment.manifestEntries,
    clientToken: hex(deployment.clientToken),
    nonce: hex(deployment.nonce),
    waitDuration: deployment.waitDuration,
    infrastructures: Object.fromEntries(
      deployment.infrastructures.map((record) => [record.terms?.name ?? "", infrastructureOf(record, answer)]),
    ),
    managers: deployment.managers.map(managerOf),
    lastChange:
      change === undefined
        ? undefined
        : { by: change.by, transaction: hex(change.transaction).toUpperCase(), height: change.height },
  };
}

function infrastructureOf(record: InfrastructureRecord, answer: QueryDeploymentResponse): ActualInfrastructure {
  const name = record.terms?.name ?? "";
  const orders = answer.orders.filter(({ order }) => order?.id?.infrastructure === name);
  const open = orders.find(({ order }) => order?.state === OrderState.OPEN);
  const leases = answer.leases.filter(({ id }) => id?.infrastructure === name);
  const active = leases.filter(({ state }) => state === LeaseState.ACTIVE);
  const successor = active.find(({ replacesGeneration }) =>
    active.some(({ id }) => replacesGeneration !== 0 && id?.generation === replacesGeneration),
  );
  const lease = active.find((one) => one !== successor);
  return {
    terms: termsOf(record.terms),
    declaredBy: record.declaredBy,
    order:
      open?.order === undefined
        ? undefined
        : {
            generation: open.order.id?.generation ?? 0,
            openedHeight: open.order.openedHeight,
            dueHeight: open.order.dueHeight,
            replaces: open.order.replacesGeneration !== 0,
            offers: open.fulfillments.map(({ datacenter, rate }) => ({ datacenter, rate: BigInt(rate || "0") })),
          },
    lease: lease && leaseOf(lease),
    successor: successor && leaseOf(successor),
    ended: lease !== undefined || open !== undefined ? undefined : endOf(orders, leases),
  };
}

function endOf(orders: QueryDeploymentResponse["orders"], leases: readonly ChainLease[]): Ended | undefined {
  const newest = [...leases].sort((a, b) => (b.id?.generation ?? 0) - (a.id?.generation ?? 0))[0];
  const order = orders
    .flatMap(({ order: one }) => (one === undefined ? [] : [one]))
    .sort((a, b) => (b.id?.generation ?? 0) - (a.id?.generation ?? 0))[0];
  if (newest !== undefined && (order?.id?.generation ?? 0) <= (newest.id?.generation ?? 0)) {
    return {
      what: "lease",
      reason: closeReason(newest.closeReason),
      datacenter: newest.datacenter,
      height: newest.closedHeight,
    };
  }
  return order === undefined
    ? undefined
    : { what: "order", reason: closeReason(order.closeReason), datacenter: undefined, height: order.closedHeight };
}

/** The reasons by the words that people read, e.g. `insufficient-funds`. */
const REASONS: Readonly<Record<number, string>> = {
  [CloseReason.CANCELLED]: "cancelled",
  [CloseReason.REMOVED]: "removed",
  [CloseReason.REPLACED]: "replaced",
  [CloseReason.TENANT]: "closed by its tenant",
  [CloseReason.UNFUNDED]: "unfunded",
  [CloseReason.INSUFFICIENT_FUNDS]: "insufficient-funds",
  [CloseReason.NOTICE]: "notice",
  [CloseReason.HANDOVER_FAILED]: "handover-failed",
  [CloseReason.STALE]: "stale",
  [CloseReason.WITHDRAWN]: "withdrawn",
  [CloseReason.EXPIRED]: "expired",
  [CloseReason.SUPERSEDED]: "superseded",
};

export function closeReason(reason: CloseReason): string {
  return REASONS[reason] ?? "ended";
}

export function leaseOf(lease: ChainLease): Lease {
  return {
    generation: lease.id?.generation ?? 0,
    datacenter: lease.datacenter,
    region: lease.region,
    attributes: attributesOf(lease.attributes),
    resources: lease.resources.map(groupOf),
    rate: BigInt(lease.rate || "0"),
    startHeight: lease.startHeight,
    confirmedVersion: lease.confirmedVersion.length === 0 ? undefined : hex(lease.confirmedVersion),
    noticeEnd: lease.noticeEndHeight === 0n ? undefined : lease.noticeEndHeight,
  };
}

export function termsOf(terms: Infrastructure | undefined): Terms {
  return {
    region: terms?.region ?? "",
    attributes: attributesOf(terms?.attributes ?? []),
    allowedDatacenters: [...(terms?.allowedDatacenters ?? [])].sort(),
    deniedDatacenters: [...(terms?.deniedDatacenters ?? [])].sort(),
    persist: terms?.persist ?? false,
    resources: (terms?.resources ?? []).map(groupOf),
  };
}

function groupOf(group: ChainGroup): ResourceGroup {
  const { compute } = group;
  const gpu = compute?.gpu;
  return {
    cpu: compute?.cpu ?? 0n,
    memory: compute?.memory ?? 0n,
    disk: compute?.disk ?? 0n,
    gpu: gpu === undefined || gpu.count === 0 ? undefined : { count: gpu.count, vendor: gpu.vendor, model: gpu.model },
    count: group.count,
    price: BigInt(group.price || "0"),
    collateral: group.collateral,
  };
}

function managerOf({ address, limits }: ChainManager): Manager {
  return {
    address,
    maxRate: limits === undefined || limits.maxRate === "" ? undefined : BigInt(limits.maxRate),
    maxCount: limits?.maxCount ?? 0,
    regions: limits?.regions ?? [],
    datacenters: limits?.datacenters ?? [],
    mayChangeVersion: limits?.mayChangeVersion ?? false,
    endHeight: limits?.endHeight ?? 0n,
  };
}

export function datacenterOf(datacenter: Datacenter): DatacenterRecord {
  const attributes = attributesOf(datacenter.attributes);
  return {
    address: datacenter.address,
    region: datacenter.region,
    attributes,
    name: attributes["name"] ?? shortAddress(datacenter.address),
  };
}

/** `dcx1q9…k2`: enough of an address to tell it by. */
function shortAddress(address: string): string {
  return address.length <= 14 ? address : `${address.slice(0, 8)}…${address.slice(-4)}`;
}

export function submitMessage(tenant: string, transaction: SubmitDeployment): MsgSubmitDeployment {
  return {
    tenant,
    infrastructures: infrastructuresTo(transaction.infrastructures),
    waitDuration: transaction.waitDuration,
    version: bytes(transaction.version),
    manifestEntries: transaction.manifestEntries,
    nonce: bytes(transaction.nonce),
    clientToken: bytes(transaction.clientToken),
    managers: transaction.managers.map(managerTo),
  };
}

export function updateMessage(sender: string, transaction: UpdateDeployment): MsgUpdateDeployment {
  const { deployment, manifest, waitDuration, managers } = transaction;
  return {
    sender,
    id: { tenant: deployment.tenant, sequence: deployment.sequence },
    revision: transaction.revision,
    infrastructures: infrastructuresTo(transaction.infrastructures),
    removedInfrastructures: [...transaction.removed],
    waitDuration: waitDuration === undefined ? undefined : { blocks: waitDuration },
    manifest: manifest === undefined ? undefined : { version: bytes(manifest.version), entries: manifest.entries },
    managers: managers === undefined ? undefined : { managers: managers.map(managerTo) },
  };
}

function infrastructuresTo(infrastructures: Readonly<Record<string, Terms>>): Infrastructure[] {
  return Object.keys(infrastructures)
    .sort()
    .flatMap((name) => {
      const terms = infrastructures[name];
      return terms === undefined ? [] : [infrastructureTo(name, terms)];
    });
}

function infrastructureTo(name: string, terms: Terms): Infrastructure {
  return {
    name,
    region: terms.region,
    attributes: Object.keys(terms.attributes)
      .sort()
      .map((key) => ({ key, value: terms.attributes[key] ?? "" })),
    allowedDatacenters: [...terms.allowedDatacenters].sort(),
    deniedDatacenters: [...terms.deniedDatacenters].sort(),
    persist: terms.persist,
    resources: terms.resources.map((group) => ({
      compute: {
        cpu: group.cpu,
        memory: group.memory,
        disk: group.disk,
        gpu: group.gpu === undefined ? undefined : { ...group.gpu },
      },
      price: group.price.toString(),
      collateral: group.collateral,
      count: group.count,
    })),
  };
}

/** Terms as an agent is asked about them. */
export function quoteTermsOf(terms: Terms): QuoteTerms {
  return {
    region: terms.region,
    attributes: { ...terms.attributes },
    allowedDatacenters: [...terms.allowedDatacenters],
    deniedDatacenters: [...terms.deniedDatacenters],
    resources: terms.resources.map(({ cpu, memory, disk, gpu, count, price, collateral }) => ({
      cpu: String(cpu),
      memory: String(memory),
      disk: String(disk),
      ...(gpu === undefined ? {} : { gpu: { ...gpu } }),
      count,
      price: String(price),
      collateral: String(collateral),
    })),
  };
}

function managerTo(manager: Manager): ChainManager {
  return {
    address: manager.address,
    limits: {
      maxRate: manager.maxRate?.toString() ?? "",
      maxCount: manager.maxCount,
      regions: [...manager.regions],
      datacenters: [...manager.datacenters],
      mayChangeVersion: manager.mayChangeVersion,
      endHeight: manager.endHeight,
    },
  };
}

function attributesOf(attributes: readonly Attribute[]): Record<string, string> {
  return Object.fromEntries(attributes.map(({ key, value }) => [key, value]));
}

export function hex(value: Uint8Array): string {
  return Buffer.from(value).toString("hex");
}

export function bytes(value: string): Uint8Array {
  return new Uint8Array(Buffer.from(value, "hex"));
}
