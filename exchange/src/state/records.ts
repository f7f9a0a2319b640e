import {
  ChainRecord,
  Datacenter,
  Deployment,
  type DeploymentId,
  ExchangeErrorCode,
  ExclusionRecord,
  Fulfillment,
  type FulfillmentId,
  InterestRecord,
  Lease,
  Order,
  type OrderId,
  Parameters,
  SlotRecord,
} from "@dcx/protocol";
import { type Encoder, encode } from "../encode";
import { ExchangeError } from "./errors";
import {
  deploymentKey,
  describeDeployment,
  describeFulfillment,
  describeOrder,
  fulfillmentKey,
  infrastructureKey,
  orderKey,
  tables,
  textKey,
} from "./keys";
import type { KeyValueReader, KeyValueStore } from "./store";

interface Codec<Value> extends Encoder<Value> {
  decode(input: Uint8Array): Value;
}

/** Records of one kind, each a protobuf message under a key made from its id. */
export class Table<Id, Value> {
  constructor(
    readonly prefix: string,
    readonly key: (id: Id) => string,
    readonly codec: Codec<Value>,
  ) {}

  get(store: KeyValueReader, id: Id): Value | undefined {
    const bytes = store.get(this.prefix + this.key(id));
    return bytes === undefined ? undefined : this.codec.decode(bytes);
  }

  /** @throws Error (a defect) where the state's own rules promise that the record is there. */
  need(store: KeyValueReader, id: Id): Value {
    return present(this.get(store, id), `record ${this.prefix}`);
  }

  put(store: KeyValueStore, id: Id, value: Value): void {
    store.set(this.prefix + this.key(id), encode(this.codec, value));
  }

  delete(store: KeyValueStore, id: Id): void {
    store.delete(this.prefix + this.key(id));
  }
}

/**
 * A record that is read all the time and seldom changes, if ever, after genesis: decoded once for each time that the store gives
 * other bytes.
 */
class ConstantTable<Value extends object> extends Table<void, Value> {
  readonly #decoded = new WeakMap<Uint8Array, Readonly<Value>>();

  override get(store: KeyValueReader): Readonly<Value> | undefined {
    const bytes = store.get(this.prefix);
    if (bytes === undefined) return undefined;
    const known = this.#decoded.get(bytes);
    if (known !== undefined) return known;
    const value = Object.freeze(this.codec.decode(bytes));
    this.#decoded.set(bytes, value);
    return value;
  }
}

/** For what the state's own rules promise to be there. @throws Error: a defect or a corrupt store, never a refusal. */
export function present<Value>(value: Value | undefined, what: string): Value {
  if (value === undefined) throw new Error(`corrupt state: ${what} is missing`);
  return value;
}

const single = () => "";

export interface InfrastructureId {
  readonly deployment: DeploymentId;
  readonly name: string;
}

export const chains = new ConstantTable<ChainRecord>(tables.chain, single, ChainRecord);
export const parameterTable = new ConstantTable<Parameters>(tables.parameters, single, Parameters);
export const interestTable = new Table<void, InterestRecord>(tables.interest, single, InterestRecord);
export const datacenters = new Table<string, Datacenter>(tables.datacenter, textKey, Datacenter);
export const deployments = new Table<DeploymentId, Deployment>(tables.deployment, deploymentKey, Deployment);
export const slots = new Table<InfrastructureId, SlotRecord>(
  tables.slot,
  (id) => infrastructureKey(id.deployment, id.name),
  SlotRecord,
);
export const orders = new Table<OrderId, Order>(tables.order, orderKey, Order);
export const leases = new Table<OrderId, Lease>(tables.lease, orderKey, Lease);
export const fulfillments = new Table<FulfillmentId, Fulfillment>(
  tables.fulfillment,
  (id) => fulfillmentKey(present(id.order, "order of a fulfillment"), id.index),
  Fulfillment,
);

export interface ExclusionId {
  readonly infrastructure: InfrastructureId;
  readonly datacenter: string;
}

export const exclusions = new Table<ExclusionId, ExclusionRecord>(
  tables.exclusion,
  (id) => infrastructureKey(id.infrastructure.deployment, id.infrastructure.name) + textKey(id.datacenter),
  ExclusionRecord,
);

export function getParameters(store: KeyValueReader): Parameters {
  return parameterTable.need(store, undefined);
}

export function getChain(store: KeyValueReader): ChainRecord {
  return chains.need(store, undefined);
}

/** Infrastructure to which an order or lease belongs. */
export function infrastructureOf(id: OrderId): InfrastructureId {
  return { deployment: { tenant: id.tenant, sequence: id.sequence }, name: id.infrastructure };
}

export function orderIdOf(record: { id: OrderId | undefined }): OrderId {
  return present(record.id, "id of an order or lease");
}

export function fulfillmentIdOf(record: Fulfillment): { order: OrderId; index: number } {
  const id = present(record.id, "id of a fulfillment");
  return { order: present(id.order, "order of a fulfillment"), index: id.index };
}

export function withGeneration(id: InfrastructureId, generation: number): OrderId {
  return { ...id.deployment, infrastructure: id.name, generation };
}

/** @throws ExchangeError DeploymentNotFound */
export function findDeployment(store: KeyValueReader, id: DeploymentId): Deployment {
  const deployment = deployments.get(store, id);
  if (deployment === undefined)
    throw new ExchangeError(
      ExchangeErrorCode.DeploymentNotFound,
      `no deployment ${describeDeployment(id)}: it never was, or it was cancelled and pruned`,
    );
  return deployment;
}

/** @throws ExchangeError OrderNotFound */
export function findOrder(store: KeyValueReader, id: OrderId): Order {
  const order = orders.get(store, id);
  if (order === undefined)
    throw new ExchangeError(
      ExchangeErrorCode.OrderNotFound,
      `no order ${describeOrder(id)}: it never was, or it was closed and pruned`,
    );
  return order;
}

/** @throws ExchangeError FulfillmentNotFound */
export function findFulfillment(store: KeyValueReader, id: FulfillmentId): Fulfillment {
  const fulfillment = fulfillments.get(store, id);
  if (fulfillment === undefined)
    throw new ExchangeError(ExchangeErrorCode.FulfillmentNotFound, `no fulfillment ${describeFulfillment(id)}`);
  return fulfillment;
}

/** @throws ExchangeError LeaseNotFound */
export function findLease(store: KeyValueReader, id: OrderId): Lease {
  const lease = leases.get(store, id);
  if (lease === undefined)
    throw new ExchangeError(
      ExchangeErrorCode.LeaseNotFound,
      `no lease ${describeOrder(id)}: the order was never matched, or the lease ended and was pruned`,
    );
  return lease;
}
