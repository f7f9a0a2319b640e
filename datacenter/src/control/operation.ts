import type { SigningExchangeClient } from "@dcx/protocol";
import type { Logger } from "pino";
import type { ChainView } from "../chain/view";
import type { RootRotation, RotationStatus } from "../identity/rotation";
import type { DrainingState } from "../market/draining";
import type { Market } from "../market/market";
import type { Reconciler } from "../reconcile/reconciler";
import type { ControlStatus } from "./protocol";
import type { ControlActions } from "./server";

export interface OperationOptions {
  readonly signing: SigningExchangeClient;
  readonly view: () => ChainView | undefined;
  readonly market: Market;
  readonly reconciler: Reconciler;
  readonly draining: DrainingState;
  readonly rotation: RootRotation;
  /** Makes the market work soon. */
  readonly wake: () => void;
  readonly logger: Logger;
}

/** What an operator asks of a running agent, and whether it is done. */
export class Operation implements ControlActions {
  readonly #options: OperationOptions;
  readonly #drained = new AbortController();

  constructor(options: OperationOptions) {
    this.#options = options;
  }

  /** Aborted once it is drained and was asked to end then. */
  get drained(): AbortSignal {
    return this.#drained.signal;
  }

  status(): ControlStatus {
    const { market, reconciler, signing, view: viewNow } = this.#options;
    const view = viewNow();
    const draining = this.#options.draining.now;
    const instances = reconciler.look.observed.length;
    const progress = view === undefined ? undefined : market.drainProgress(view, instances);
    const blockInterval = view?.parameters.parameters?.blockInterval;
    const rotation = this.#options.rotation.status();
    return {
      address: signing.address,
      chainId: signing.query.chainId,
      height: (view?.height ?? 0n).toString(),
      ...(blockInterval === undefined ? {} : { blockInterval: blockInterval.toString() }),
      leases: progress?.leases ?? 0,
      bids: progress?.bids ?? 0,
      instances,
      ...(rotation === undefined ? {} : { rotation: inText(rotation) }),
      ...(draining === undefined
        ? {}
        : {
            draining: {
              ...draining,
              withoutNotice: progress?.withoutNotice ?? 0,
              ...(progress?.lastEnd === undefined ? {} : { lastEnd: progress.lastEnd.toString() }),
              drained: reconciler.looked && progress?.drained === true,
            },
          }),
    };
  }

  drain(options: { readonly exit: boolean }): void {
    const { draining, logger } = this.#options;
    logger.info(draining.begin(options), "draining: notice is given for every lease");
    this.#options.wake();
    this.look();
  }

  /** @param overlap milliseconds; 0: the old root ends at once */
  async rotateRoot({ overlap }: { readonly overlap: number }): Promise<void> {
    await this.#options.rotation.begin(overlap);
  }

  resume(): void {
    this.#options.draining.end();
    this.#options.logger.info("no longer draining");
    this.#options.wake();
  }

  /** Looks whether it is drained. The start after that is drained too, and does not end by itself. */
  look(): void {
    const { draining, logger } = this.#options;
    if (draining.now?.exit !== true || this.status().draining?.drained !== true) return;
    draining.begin({ exit: false });
    logger.info("drained: no lease, no bid and no instance is left");
    this.#drained.abort();
  }
}

function inText({ endHeight, ...rest }: RotationStatus): NonNullable<ControlStatus["rotation"]> {
  return endHeight === undefined ? rest : { ...rest, endHeight: endHeight.toString() };
}
