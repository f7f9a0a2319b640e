import { type DeploymentStatus, idle } from "@dcx/protocol";
import type { DeploymentKey, NetworkDriver } from "../network/driver";
import type { Envelope } from "../network/snapshot";

export interface HolderView {
  /** The newest that the holder said. */
  readonly status: DeploymentStatus | undefined;
  /** Why it does not answer, or did not take the manifest. */
  readonly problem: string | undefined;
}

/**
 * Watches what runs at the holders of a deployment, each by its own long poll, so that one that is down delays no
 * other; and hands a manifest to those that do not have it.
 */
export class HolderWatch implements Disposable {
  readonly #stop = new AbortController();
  readonly #signal: AbortSignal;
  readonly #views = new Map<string, HolderView>();
  #wake: () => void = () => {};
  #changed = this.#nextChange();

  constructor(
    readonly driver: NetworkDriver,
    readonly deployment: DeploymentKey,
    /** What holders should have now; nothing: they are only watched. */
    readonly envelope: () => Envelope | undefined,
    signal: AbortSignal,
  ) {
    this.#signal = AbortSignal.any([signal, this.#stop.signal]);
  }

  /** Begins to watch this holder, if it is not watched yet. */
  watch(holder: string): HolderView {
    const known = this.#views.get(holder);
    if (known !== undefined) {
      return known;
    }
    const first: HolderView = { status: undefined, problem: undefined };
    this.#views.set(holder, first);
    void this.#follow(holder);
    return first;
  }

  /** Resolves at the next change of any view. */
  changed(): Promise<void> {
    return this.#changed;
  }

  [Symbol.dispose](): void {
    this.#stop.abort();
  }

  async #follow(holder: string): Promise<void> {
    let after: string | undefined;
    let pause = 200;
    let handed: string | undefined;
    while (!this.#signal.aborted) {
      const began = Date.now();
      const version = this.envelope()?.version;
      try {
        const status = await this.driver.status(
          this.deployment,
          holder,
          { after, waitMilliseconds: 5000 },
          this.#signal,
        );
        const problem = await this.#hand(holder, status);
        this.#show(holder, { status, problem });
        // After a manifest was handed over, or refused, the next look tells what became of it.
        after = problem === undefined ? status.cursor : undefined;
        pause = problem === undefined ? 200 : Math.min(pause * 2, 5000);
        if (problem === undefined && version !== undefined && status.version !== version && handed !== version) {
          // It has just been handed over, for the first time: what became of it is asked at once.
          handed = version;
          continue;
        }
      } catch (error) {
        if (this.#signal.aborted) {
          return;
        }
        this.#show(holder, {
          status: this.#views.get(holder)?.status,
          problem: error instanceof Error ? error.message : String(error),
        });
        after = undefined;
        pause = Math.min(pause * 2, 5000);
      }
      // A holder that answers at once, or not at all, is not asked in a tight loop.
      await idle(Math.max(0, pause - (Date.now() - began)), this.#signal);
    }
  }

  async #hand(holder: string, status: DeploymentStatus): Promise<string | undefined> {
    const envelope = this.envelope();
    if (envelope === undefined || (status.version === envelope.version && status.complete)) {
      return undefined;
    }
    try {
      await this.driver.handManifest(this.deployment, holder, envelope, this.#signal);
      return undefined;
    } catch (error) {
      this.#signal.throwIfAborted();
      return `the manifest could not be handed over: ${error instanceof Error ? error.message : String(error)}`;
    }
  }

  #show(holder: string, view: HolderView): void {
    this.#views.set(holder, view);
    const wake = this.#wake;
    this.#changed = this.#nextChange();
    wake();
  }

  #nextChange(): Promise<void> {
    return new Promise((resolve) => {
      this.#wake = resolve;
    });
  }
}
