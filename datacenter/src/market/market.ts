import {
  ConfirmationOutcome,
  type Datacenter,
  deploymentKey,
  FulfillmentState,
  fulfillmentKey,
  InsufficientFunds,
  type Isolation,
  type LeaseConfirmation,
  messages,
  type Order,
  OrderState,
  orderKey,
  parseOrderKey,
  type QuoteTerms,
  type SigningExchangeClient,
  type SubmitResult,
  TransactionFailed,
  TransactionOutcomeUnknown,
  TransactionRejected,
} from "@dcx/protocol";
import type { Logger } from "pino";
import type { ChainFollower } from "../chain/follower";
import { type ChainView, infrastructureKey, type ViewChange } from "../chain/view";
import { boundCollateral, type Capacity, type Commitment, freeCapacity } from "./capacity";
import { commitmentsOnChain, type Reservations } from "./commitments";
import { dueConfirmations, type ServedVersion } from "./confirm-current-leases";
import { type BidDecision, decideBid } from "./decide-bid";
import { type DrainProgress, drainProgress, leasesWithoutNotice } from "./draining";
import { giveNotices } from "./give-notice";
import { orderOf } from "./order-of-terms";
import type { PricingStrategy } from "./pricing";

/** Bids in one transaction. */
const bidsPerTransaction = 20;
/** Confirmations in one transaction where the chain sets no bound. */
const confirmationsPerTransaction = 100;
/** Blocks for which an order is left alone after the chain refused a bid on it. */
const refusedBlocks = 20n;
/** Micro-units of the balance that are never posted: they pay for confirmations. */
const feeReserve = 1_000_000n;

export interface MarketOptions {
  readonly signing: SigningExchangeClient;
  readonly follower: ChainFollower;
  readonly reservations: Reservations;
  readonly capacity: Capacity;
  readonly gpu?: { readonly vendor: string; readonly model: string };
  readonly isolation: Isolation;
  readonly unenforced: readonly string[];
  readonly trustedTenants: readonly string[];
  readonly collateralBudget?: bigint;
  /** True: takes no new leases. */
  readonly draining: boolean;
  /** Whether it also gives notice for those that it has. */
  readonly leaving: () => boolean;
  /** From the chain's block interval in milliseconds. */
  readonly pricing: (blockInterval: bigint) => PricingStrategy;
  readonly served: ServedVersion;
  readonly logger: Logger;
}

/**
 * Sells: on every block it confirms the leases that are due, then bids on open orders. One round at a time; blocks
 * that come meanwhile make one more round. design: "The datacenter".
 */
export class Market {
  readonly #options: MarketOptions;
  /** Orders to be looked at in the next round. */
  readonly #candidates = new Set<string>();
  /** Orders that were refused for something that changes by itself: capacity, collateral, exclusion. */
  readonly #waiting = new Set<string>();
  /** Height until which an order is left alone. */
  readonly #refused = new Map<string, bigint>();
  readonly #counts = { bids: 0, confirmations: 0, refusedConfirmations: 0 };
  #balance = 0n;
  #sold = "";
  #round: Promise<void> | undefined;
  #again = false;

  constructor(options: MarketOptions) {
    this.#options = options;
  }

  /** Takes note of a block and works on it. */
  onChange(change: ViewChange, signal: AbortSignal): void {
    for (const order of change.orders) this.#candidates.add(order);
    const view = this.#options.follower.view;
    if (change.everything && view !== undefined) for (const order of view.orders.keys()) this.#candidates.add(order);
    this.wake(signal);
  }

  /** Works again soon, as when a version has begun to serve. */
  wake(signal: AbortSignal): void {
    if (signal.aborted) return;
    if (this.#round !== undefined) {
      this.#again = true;
      return;
    }
    this.#round = this.#work(signal).finally(() => {
      this.#round = undefined;
      if (this.#again) {
        this.#again = false;
        this.wake(signal);
      }
    });
  }

  /** Resolves when no round is in progress. */
  async settled(): Promise<void> {
    while (this.#round !== undefined) await this.#round;
  }

  /** The same decision that a bid is made by. `undefined`: the view has no such open order. */
  async quote(order: string): Promise<BidDecision | undefined> {
    const { follower } = this.#options;
    const view = follower.view;
    const wanted = view?.orders.get(order) ?? (await this.#loadElsewhere(order));
    if (this.#balance === 0n) await this.#loadBalance();
    if (view === undefined || view.record === undefined || wanted === undefined) return undefined;
    const mine = [...view.fulfillments.values()].find(
      ({ id }) => id?.order !== undefined && orderKey(id.order) === order,
    );
    if (mine !== undefined) {
      return { willBid: true, resources: mine.resources, rate: BigInt(mine.rate), collateral: mine.collateral };
    }
    return await decideBid(wanted, this.#situation(view, view.record, wanted, this.#commitments(view)));
  }

  /**
   * As `quote`, for terms that are no order yet, of this tenant or of a stranger. `undefined`: the chain, or this
   * datacenter's record on it, is not known yet.
   */
  async quoteTerms(terms: QuoteTerms, tenant: string | undefined): Promise<BidDecision | undefined> {
    const view = this.#options.follower.view;
    if (this.#balance === 0n) await this.#loadBalance();
    if (view?.record === undefined) return undefined;
    const order = orderOf(terms, tenant ?? "");
    return await decideBid(order, this.#situation(view, view.record, order, this.#commitments(view)));
  }

  /** What it has done since it began. */
  get counts(): Readonly<Record<"bids" | "confirmations" | "refusedConfirmations", number>> {
    return this.#counts;
  }

  /** In micro-units: what the account held when it was last asked, and what bids and leases bind. */
  funds(view: ChainView | undefined): { readonly balance: bigint; readonly collateral: bigint } {
    return {
      balance: this.#balance,
      collateral: view === undefined ? 0n : boundCollateral(this.#commitments(view)),
    };
  }

  /** What a datacenter that drains still waits for. */
  drainProgress(view: ChainView, instances: number): DrainProgress {
    const pending = this.#options.reservations
      .pending(view.height)
      .filter(
        ({ order }) =>
          ![...view.fulfillments.values()].some(({ id }) => id?.order !== undefined && orderKey(id.order) === order),
      );
    return drainProgress(view, pending.length, instances);
  }

  /** Capacity that is neither sold nor promised. */
  free(view: ChainView): Capacity {
    return freeCapacity(this.#options.capacity, this.#commitments(view));
  }

  async #work(signal: AbortSignal): Promise<void> {
    try {
      await this.#confirmCurrentLeases(signal);
      await this.#giveNotices(signal);
      await this.#withdrawWithoutCapacity(signal);
      await this.#bidOnOpenOrders(signal);
    } catch (error) {
      if (!signal.aborted)
        this.#options.logger.warn({ err: error }, "a round of the market failed; the next block tries again");
    }
  }

  async #confirmCurrentLeases(signal: AbortSignal): Promise<void> {
    const { follower, served, signing } = this.#options;
    const view = follower.view;
    if (view === undefined) return;
    const due = dueConfirmations(view.leases.values(), view.height, served);
    const most = view.parameters.parameters?.maxConfirmations || confirmationsPerTransaction;
    for (let at = 0; at < due.length; at += most) {
      const confirmations = due.slice(at, at + most);
      const message = messages.submitLeaseConfirmation({ datacenter: signing.address, confirmations });
      const result = await signing.submit([message], { signal });
      await this.#noteConfirmations(confirmations, result, signal);
    }
  }

  async #noteConfirmations(
    confirmations: readonly LeaseConfirmation[],
    result: SubmitResult,
    signal: AbortSignal,
  ): Promise<void> {
    const { follower, logger } = this.#options;
    const [response] = result.responses;
    const outcomes = response?.type === "submitLeaseConfirmation" ? response.value.results : [];
    for (const [index, { lease, version }] of confirmations.entries()) {
      if (lease === undefined) continue;
      const outcome = outcomes[index];
      if (outcome?.outcome === ConfirmationOutcome.CONFIRMED) {
        this.#counts.confirmations += 1;
        follower.noteConfirmation(orderKey(lease), result.height, version);
        logger.info({ lease: orderKey(lease), height: result.height, rent: outcome.rent }, "lease confirmed");
      } else {
        this.#counts.refusedConfirmations += 1;
        const why = ConfirmationOutcome[outcome?.outcome ?? ConfirmationOutcome.UNSPECIFIED];
        logger.warn({ lease: orderKey(lease), outcome: why }, "lease not confirmed");
        await follower.refresh(deploymentKey(lease), signal);
      }
    }
  }

  /** Bids that are open are not taken back: one that is matched meanwhile would be a broken lease. */
  async #giveNotices(signal: AbortSignal): Promise<void> {
    const { follower, leaving } = this.#options;
    const view = follower.view;
    if (view === undefined || !leaving()) return;
    await giveNotices(this.#options, leasesWithoutNotice(view.leases.values()), signal);
  }

  /** Takes back open bids, the newest first, until what is left can be kept: capacity was taken out of service. */
  async #withdrawWithoutCapacity(signal: AbortSignal): Promise<void> {
    const { capacity, follower, logger, signing } = this.#options;
    const view = follower.view;
    if (view === undefined) return;
    const commitments = [...this.#commitments(view)];
    const open = [...view.fulfillments.values()]
      .filter(({ state }) => state === FulfillmentState.OPEN)
      .sort((a, b) => Number(b.height - a.height));
    for (const fulfillment of open) {
      const free = freeCapacity(capacity, commitments);
      if (free.cpu >= 0n && free.memory >= 0n && free.disk >= 0n && free.gpu >= 0n) return;
      const id = fulfillment.id;
      if (id?.order === undefined) continue;
      const key = orderKey(id.order);
      logger.info(
        { fulfillment: fulfillmentKey({ order: id.order, index: id.index }) },
        "bid taken back: its capacity is gone",
      );
      await signing.submit([messages.cancelFulfillment({ datacenter: signing.address, id })], { signal });
      commitments.splice(0, commitments.length, ...commitments.filter(({ order }) => order !== key));
    }
  }

  async #bidOnOpenOrders(signal: AbortSignal): Promise<void> {
    const { follower, logger } = this.#options;
    const view = follower.view;
    if (view?.record === undefined) return;
    this.#reconsider(view);
    if (this.#candidates.size === 0) return;
    await this.#loadBalance(signal);
    const commitments = [...this.#commitments(view)];
    const bids: (Commitment & { readonly id: Order["id"] })[] = [];
    for (const key of [...this.#candidates]) {
      this.#candidates.delete(key);
      const order = view.orders.get(key);
      if (order === undefined) continue;
      if (commitments.some((each) => each.order === key)) {
        // Perhaps by a bid that this agent signed before it was killed and nobody got: looked at again when that has
        // become certain, for then its commitments are others.
        this.#waiting.add(key);
        continue;
      }
      const decision = await decideBid(order, this.#situation(view, view.record, order, commitments));
      if (!decision.willBid) {
        logger.info({ order: key, reason: decision.reason, message: decision.message }, "no bid");
        if (["capacity", "collateral", "excluded"].includes(decision.reason)) this.#waiting.add(key);
        continue;
      }
      const bid = { order: key, id: order.id, resources: decision.resources, collateral: decision.collateral };
      bids.push(bid);
      commitments.push(bid);
    }
    // Looked at again where something goes wrong before they are sent.
    const unsent = new Set(bids.map(({ order }) => order));
    try {
      for (let at = 0; at < bids.length; at += bidsPerTransaction) {
        const batch = bids.slice(at, at + bidsPerTransaction);
        await this.#bid(batch, signal);
        for (const { order } of batch) unsent.delete(order);
      }
    } finally {
      for (const order of unsent) if (!this.#refused.has(order)) this.#candidates.add(order);
    }
  }

  /** Sends several bids in one transaction; when that fails each in its own, so that one can't spoil the others. */
  async #bid(bids: readonly (Commitment & { readonly id: Order["id"] })[], signal: AbortSignal): Promise<void> {
    const { follower, logger, reservations, signing } = this.#options;
    const fulfillments = bids.map(({ id, resources }) =>
      messages.submitFulfillment({ datacenter: signing.address, order: id, resources: [...resources] }),
    );
    try {
      const result = await signing.submit(fulfillments, {
        signal,
        onSigned: (_hash, { timeoutHeight }) => {
          for (const bid of bids) reservations.hold(bid, timeoutHeight);
        },
      });
      for (const bid of bids) reservations.hold(bid, result.height);
      this.#counts.bids += bids.length;
      logger.info({ orders: bids.map(({ order }) => order), height: result.height }, "bid");
    } catch (error) {
      if (error instanceof TransactionOutcomeUnknown) {
        for (const { order } of bids) this.#refused.set(order, error.timeoutHeight + 1n);
        throw error;
      }
      for (const { order } of bids) reservations.release(order);
      if (bids.length > 1) {
        for (const bid of bids) await this.#bid([bid], signal);
      } else if (
        error instanceof TransactionFailed ||
        error instanceof TransactionRejected ||
        error instanceof InsufficientFunds
      ) {
        const [bid] = bids;
        if (bid === undefined) return;
        logger.warn({ order: bid.order, err: error }, "the exchange refused a bid");
        this.#refused.set(bid.order, (follower.view?.height ?? 0n) + refusedBlocks);
      } else throw error;
    }
  }

  /** Puts back what was refused for something that may have changed. */
  #reconsider(view: ChainView): void {
    const sold = this.#commitments(view)
      .map(({ order }) => order)
      .sort()
      .join(" ");
    if (sold !== this.#sold || view.height % refusedBlocks === 0n) {
      for (const order of this.#waiting) this.#candidates.add(order);
      this.#waiting.clear();
    }
    this.#sold = sold;
    for (const [order, until] of this.#refused) {
      if (view.height < until) this.#candidates.delete(order);
      else {
        this.#refused.delete(order);
        this.#candidates.add(order);
      }
    }
  }

  #commitments(view: ChainView): readonly Commitment[] {
    return [...commitmentsOnChain(view), ...this.#options.reservations.pending(view.height)];
  }

  #situation(view: ChainView, record: Datacenter, order: Order, commitments: readonly Commitment[]) {
    const { capacity, collateralBudget, draining, gpu, isolation, leaving, pricing, trustedTenants, unenforced } =
      this.#options;
    const parameters = view.parameters.parameters;
    const broken = order.id === undefined ? undefined : view.broken.get(infrastructureKey(order.id));
    // What is on its way has not left the balance yet.
    const onItsWay = boundCollateral(commitments) - boundCollateral(commitmentsOnChain(view));
    const spendable = this.#balance - feeReserve - onItsWay;
    const budget = collateralBudget === undefined ? spendable : collateralBudget - boundCollateral(commitments);
    const freeCollateral = budget < spendable ? budget : spendable;
    return {
      record,
      isolation,
      trustedTenants,
      unenforced,
      total: capacity,
      free: freeCapacity(capacity, commitments),
      ...(gpu === undefined ? {} : { gpu }),
      freeCollateral: freeCollateral < 0n ? 0n : freeCollateral,
      pricing: pricing(parameters?.blockInterval ?? 1000n),
      ...(broken === undefined ? {} : { excludedUntil: broken + (parameters?.exclusionPeriod ?? 0n) }),
      height: view.height,
      draining: draining || leaving(),
    };
  }

  async #loadBalance(signal?: AbortSignal): Promise<void> {
    const { query, address } = this.#options.signing;
    this.#balance = (await query.account(address, { signal }))?.balance ?? 0n;
  }

  /** An open order of another region: the quote says why not. */
  async #loadElsewhere(order: string): Promise<Order | undefined> {
    const { signing } = this.#options;
    const found = (await signing.query.order(parseOrderKey(order))).order;
    return found?.state === OrderState.OPEN ? found : undefined;
  }
}
