import {
  type Datacenter,
  deploymentKey,
  type ExchangeBlock,
  type ExchangeQueryClient,
  type Fulfillment,
  FulfillmentState,
  fulfillmentKey,
  idle,
  LeaseState,
  type OrderId,
  OrderState,
  orderKey,
  pages,
  parseDeploymentKey,
  parseOrderKey,
  type QueryDeploymentResponse,
  type QueryParametersResponse,
} from "@dcx/protocol";
import type { Logger } from "pino";
import type { Proven, ProvenReads } from "./proven-reads";
import { touchedBy } from "./touched";
import { type ChainView, infrastructureKey, type MutableView, type ViewChange } from "./view";

/** Requests to the node at a time. */
const concurrency = 8;

/** Blocks after which the parameters are proven again where endpoints are not believed: one may leave out the event of a vote. */
const parametersEvery = 10n;

/** Blocks and time that the newest state may be behind before nobody is served by it. */
const freshBlocks = 5n;
const freshMilliseconds = 10_000;

/** What it asks of the exchange. */
export type FollowerQueries = Pick<
  ExchangeQueryClient,
  | "blocks"
  | "datacenters"
  | "deployment"
  | "fulfillments"
  | "height"
  | "leases"
  | "order"
  | "orders"
  | "parameters"
  | "status"
>;

export interface FollowerOptions {
  readonly query: FollowerQueries;
  readonly datacenter: string;
  readonly region: string;
  /** Absent: the endpoints are believed. */
  readonly proven?: ProvenReads;
  /** Deployments that this datacenter had a lease of, by text id: looked at also where no endpoint lists one. */
  readonly remembered?: () => readonly string[];
  readonly logger: Logger;
  /** Called after the first snapshot, and after each block that was followed. */
  readonly onChange: (view: ChainView, change: ViewChange) => void;
}

/**
 * Keeps a `ChainView`: a snapshot by paged queries, afterwards only what the events of each block name. When blocks
 * were missed it takes a new snapshot; until that is complete the old view stays.
 *
 * PERF: a block costs what it changed; the snapshot is linear in open orders.
 */
export class ChainFollower {
  #view: MutableView | undefined;
  #asked = 0;
  /** How many reads of each deployment are under way. */
  readonly #reading = new Map<string, number>();
  #heardAt = Number.NEGATIVE_INFINITY;
  readonly #options: FollowerOptions;

  constructor(options: FollowerOptions) {
    this.#options = options;
  }

  /** Undefined before the first snapshot. */
  get view(): ChainView | undefined {
    return this.#view;
  }

  /** Follows until the signal aborts; never throws. What fails is tried again with back-off. */
  async run(signal: AbortSignal): Promise<void> {
    let delay = 250;
    while (!signal.aborted) {
      try {
        const snapshot = await this.#snapshot(signal);
        this.#view = snapshot;
        this.#options.onChange(snapshot, {
          orders: new Set(snapshot.orders.keys()),
          leases: true,
          everything: true,
        });
        delay = 250;
        await this.#follow(snapshot, signal);
      } catch (error) {
        if (signal.aborted) return;
        this.#options.logger.warn({ err: error }, "the exchange can't be followed; workloads go on, trying again");
        await idle(delay, signal);
        delay = Math.min(delay * 2, 10_000);
      }
    }
  }

  /**
   * Whether the view, or what it says of one deployment, is no older than a few blocks. Where no block came lately it
   * asks the node whether there is one: an idle chain need not make any. Where endpoints are not believed it is what
   * was proven lately that counts, for they could leave out events.
   */
  async isFresh(deployment?: string): Promise<boolean> {
    const view = this.#view;
    if (view === undefined) return false;
    const patience = Math.max(
      freshMilliseconds,
      Number(freshBlocks * (view.parameters.parameters?.blockInterval ?? 0n)),
    );
    const { proven } = this.#options;
    if (proven !== undefined) return await this.#isProven(proven, view, patience, deployment);
    if (performance.now() - this.#heardAt <= patience) return true;
    try {
      const status = await this.#options.query.status({ signal: AbortSignal.timeout(3_000) });
      if (status.catchingUp || status.height > view.height + freshBlocks) return false;
      this.#heardAt = performance.now();
      return true;
    } catch {
      return false;
    }
  }

  async #isProven(
    proven: ProvenReads,
    view: MutableView,
    patience: number,
    deployment: string | undefined,
  ): Promise<boolean> {
    const known = deployment !== undefined && view.deployments.has(deployment) ? deployment : undefined;
    const isNew = (): boolean => {
      const asOf = known === undefined ? this.#heardAt : (view.asOf.get(known) ?? Number.NEGATIVE_INFINITY);
      return performance.now() - asOf <= patience;
    };
    if (isNew()) return true;
    try {
      const signal = AbortSignal.timeout(patience);
      if (known === undefined) {
        this.#heardAt = (await proven.parameters(signal)).asOf;
      } else {
        await this.#loadDeployment(view, known, signal);
        this.#options.onChange(view, { orders: new Set(), leases: true, everything: false });
      }
      return isNew();
    } catch (err) {
      this.#options.logger.warn({ err, deployment }, "the exchange's state could not be proven; nobody is served");
      return false;
    }
  }

  /** Reads again what belongs to a deployment, as after an own transaction whose outcome surprises. */
  async refresh(deployment: string, signal: AbortSignal): Promise<void> {
    if (this.#view !== undefined) await this.#loadDeployment(this.#view, deployment, signal);
  }

  /** Notes an own confirmation, which names no event of its own. */
  noteConfirmation(lease: string, height: bigint, version: Uint8Array): void {
    const known = this.#view?.leases.get(lease);
    if (known === undefined) return;
    this.#view?.leases.set(lease, {
      ...known,
      lastConfirmedHeight: height,
      confirmedVersion: Buffer.from(version),
    });
  }

  /** A notice of its own, so that it is not given again before the view shows it. */
  noteNotice(lease: string, endHeight: bigint): void {
    const known = this.#view?.leases.get(lease);
    if (known !== undefined) this.#view?.leases.set(lease, { ...known, noticeEndHeight: endHeight });
  }

  async #follow(view: MutableView, signal: AbortSignal): Promise<void> {
    for await (const block of this.#options.query.blocks(signal, view.height + 1n)) {
      if (!block.complete) {
        this.#options.logger.info({ height: block.height }, "blocks were missed; reading the state again");
        return;
      }
      await this.#apply(view, block, signal);
    }
  }

  async #apply(view: MutableView, block: ExchangeBlock, signal: AbortSignal): Promise<void> {
    const reached = await this.#options.proven?.reach(block.height, signal);
    const { datacenter, region, proven } = this.#options;
    const touched = touchedBy(block.events, view, { datacenter, region, believed: proven === undefined });
    if (touched.record) view.record = await this.#loadRecord(signal);
    const isDue = proven !== undefined && block.height % parametersEvery === 0n;
    if (touched.parameters || isDue) view.parameters = await this.#loadParameters(signal);
    // A lease appears before its fulfillment goes, so that nothing sold looks free in between.
    await eachOf([...touched.deployments], (deployment) => this.#loadDeployment(view, deployment, signal));
    await eachOf([...touched.ownOrders], (order) => this.#loadOwn(view, order, signal));
    await eachOf([...touched.orders], (order) => this.#loadOrder(view, order, signal));
    this.#prune(view);
    view.height = block.height;
    this.#heardAt = reached?.asOf ?? performance.now();
    this.#options.onChange(view, {
      orders: touched.orders,
      leases: touched.deployments.size > 0 || touched.record,
      everything: touched.record,
    });
  }

  async #snapshot(signal: AbortSignal): Promise<MutableView> {
    const { query, datacenter, region } = this.#options;
    // Everything below is read at this height or later, and what later blocks name is read again.
    const height = await query.height({ signal });
    const reached = await this.#options.proven?.reach(height, signal);
    const view: MutableView = {
      height,
      parameters: await this.#loadParameters(signal),
      record: await this.#loadRecord(signal),
      orders: new Map(),
      fulfillments: new Map(),
      leases: new Map(),
      broken: new Map(),
      deployments: new Map(),
      readAt: new Map(),
      asOf: new Map(),
    };
    const open = pages(
      (page) => query.orders({ page }, { signal }),
      (answer) => answer.orders,
      1000,
    );
    for await (const order of open) {
      const wanted = order.terms?.region ?? "";
      if (order.id !== undefined && (wanted === "" || wanted === region)) view.orders.set(orderKey(order.id), order);
    }
    const own = pages(
      (page) => query.fulfillments({ datacenter, page }, { signal }),
      (answer) => answer.fulfillments,
      1000,
    );
    for await (const fulfillment of own) keepFulfillment(view, fulfillment);
    const leases = pages(
      (page) => query.leases({ datacenter, page }, { signal }),
      (answer) => answer.leases,
      1000,
    );
    const deployments = new Set(this.#options.remembered?.());
    for await (const lease of leases) if (lease.id !== undefined) deployments.add(deploymentKey(lease.id));
    await eachOf([...deployments], (deployment) => this.#loadDeployment(view, deployment, signal));
    const broken = pages(
      (page) => query.leases({ datacenter, state: LeaseState.BROKEN, page }, { signal }),
      (answer) => answer.leases,
      1000,
    );
    for await (const lease of broken) if (lease.id !== undefined) noteBroken(view, lease.id, lease.closedHeight);
    this.#heardAt = reached?.asOf ?? performance.now();
    return view;
  }

  async #loadParameters(signal: AbortSignal): Promise<QueryParametersResponse> {
    const { proven, query } = this.#options;
    const answer = await query.parameters({ signal });
    return proven === undefined ? answer : { ...answer, parameters: (await proven.parameters(signal)).value };
  }

  async #loadRecord(signal: AbortSignal): Promise<Datacenter | undefined> {
    const { query, datacenter, proven } = this.#options;
    if (proven !== undefined) return (await proven.datacenter(datacenter, signal)).value;
    return (await query.datacenters({ address: datacenter }, { signal })).datacenters[0];
  }

  async #loadOrder(view: MutableView, key: string, signal: AbortSignal): Promise<void> {
    const { order } = await this.#options.query.order(parseOrderKey(key), { signal });
    if (order?.state === OrderState.OPEN) view.orders.set(key, order);
    else view.orders.delete(key);
  }

  /** The own fulfillments of an order. */
  async #loadOwn(view: MutableView, key: string, signal: AbortSignal): Promise<void> {
    const { fulfillments } = await this.#options.query.order(parseOrderKey(key), { signal });
    for (const known of view.fulfillments.keys()) if (known.startsWith(`${key}/`)) view.fulfillments.delete(known);
    for (const each of fulfillments) if (each.datacenter === this.#options.datacenter) keepFulfillment(view, each);
  }

  async #readDeployment(key: string, signal: AbortSignal): Promise<Proven<QueryDeploymentResponse>> {
    const { proven, query } = this.#options;
    const id = parseDeploymentKey(key);
    this.#reading.set(key, (this.#reading.get(key) ?? 0) + 1);
    try {
      const answer = await query.deployment(id, { signal });
      return proven === undefined
        ? { value: answer, asOf: performance.now() }
        : await proven.deployment(id, answer, signal);
    } finally {
      const others = (this.#reading.get(key) ?? 1) - 1;
      if (others === 0) this.#reading.delete(key);
      else this.#reading.set(key, others);
    }
  }

  async #loadDeployment(view: MutableView, key: string, signal: AbortSignal): Promise<void> {
    this.#asked += 1;
    const asked = this.#asked;
    const { value: answer, asOf } = await this.#readDeployment(key, signal);
    // Of two answers that cross each other the one that was asked for later is the newer.
    if (asked < (view.readAt.get(key) ?? 0)) return;
    view.readAt.set(key, asked);
    view.asOf.set(key, asOf);
    for (const [lease, { id }] of [...view.leases]) {
      if (id !== undefined && deploymentKey(id) === key) view.leases.delete(lease);
    }
    for (const lease of answer.leases) {
      if (lease.id === undefined || lease.datacenter !== this.#options.datacenter) continue;
      if (lease.state === LeaseState.ACTIVE) view.leases.set(orderKey(lease.id), lease);
      if (lease.state === LeaseState.BROKEN) noteBroken(view, lease.id, lease.closedHeight);
    }
    view.deployments.set(key, answer);
    this.#prune(view);
  }

  /** Forgets deployments without a lease of ours: strangers too can make the agent look at one. */
  #prune(view: MutableView): void {
    const held = new Set([...view.leases.values()].flatMap(({ id }) => (id === undefined ? [] : [deploymentKey(id)])));
    for (const key of [...view.deployments.keys()]) if (!held.has(key)) view.deployments.delete(key);
    for (const key of [...view.readAt.keys()]) {
      // An answer that is still on its way may be an older one.
      if (held.has(key) || this.#reading.has(key)) continue;
      view.readAt.delete(key);
      view.asOf.delete(key);
    }
  }
}

function keepFulfillment(view: MutableView, fulfillment: Fulfillment): void {
  const { id, state } = fulfillment;
  if (id?.order === undefined) return;
  const counts = state === FulfillmentState.OPEN || state === FulfillmentState.MATCHED;
  const key = fulfillmentKey({ order: id.order, index: id.index });
  if (counts) view.fulfillments.set(key, fulfillment);
  else view.fulfillments.delete(key);
}

function noteBroken(view: MutableView, lease: OrderId, height: bigint): void {
  const key = infrastructureKey(lease);
  const known = view.broken.get(key) ?? 0n;
  if (height > known) view.broken.set(key, height);
}

async function eachOf<T>(items: readonly T[], run: (item: T) => Promise<void>): Promise<void> {
  const queue = items[Symbol.iterator]();
  const worker = async (): Promise<void> => {
    for (const item of queue) await run(item);
  };
  await Promise.all(Array.from({ length: Math.min(concurrency, items.length) }, worker));
}
