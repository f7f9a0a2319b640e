import type { Leaf, LeafIssuer, OverlayLogger } from "./overlay";

const retryDelay = 5_000;

interface Kept {
  leaf: Promise<Leaf>;
  timer?: NodeJS.Timeout;
}

/** The certificates of this datacenter's workloads, renewed at half of their life. */
export class Leaves {
  readonly #issue: LeafIssuer;
  /** Milliseconds. */
  readonly #lifetime: number;
  readonly #logger: OverlayLogger;
  readonly #kept = new Map<string, Kept>();
  readonly #listeners = new Set<(uri: string) => void>();

  constructor(issue: LeafIssuer, lifetime: number, logger: OverlayLogger) {
    this.#issue = issue;
    this.#lifetime = lifetime;
    this.#logger = logger;
  }

  /** The current leaf for this URI, made at the first request. Rejects when the issuer does. */
  get(uri: string): Promise<Leaf> {
    const kept = this.#kept.get(uri) ?? this.#keep(uri);
    return kept.leaf;
  }

  /** Called with the URI of each leaf that was renewed. */
  onRenewed(listener: (uri: string) => void): void {
    this.#listeners.add(listener);
  }

  /** Makes all of them anew, as when they are to be under another root. Rejects where the issuer does. */
  async renew(): Promise<void> {
    await Promise.all(
      [...this.#kept].map(async ([uri, kept]) => {
        // What is still being made may be under the root before.
        await kept.leaf.catch(() => undefined);
        this.#replace(uri, kept, await this.#make(uri));
      }),
    );
  }

  /** Forgets what is not among these. */
  retain(uris: ReadonlySet<string>): void {
    for (const [uri, { timer }] of this.#kept) {
      if (!uris.has(uri)) {
        clearTimeout(timer);
        this.#kept.delete(uri);
      }
    }
  }

  close(): void {
    this.retain(new Set());
  }

  #keep(uri: string): Kept {
    const kept: Kept = { leaf: this.#make(uri) };
    this.#kept.set(uri, kept);
    kept.leaf.then(
      () => this.#schedule(uri, kept, this.#lifetime / 2),
      () => {
        if (this.#kept.get(uri) === kept) {
          this.#kept.delete(uri);
        }
      },
    );
    return kept;
  }

  #schedule(uri: string, kept: Kept, delay: number): void {
    if (this.#kept.get(uri) !== kept) {
      return;
    }
    kept.timer = setTimeout(() => {
      this.#make(uri).then(
        (leaf) => this.#replace(uri, kept, leaf),
        (error: unknown) => {
          this.#logger.warn({ uri, error: String(error) }, "a workload's certificate can't be renewed");
          this.#schedule(uri, kept, Math.min(retryDelay, this.#lifetime / 8));
        },
      );
    }, delay);
    kept.timer.unref();
  }

  #replace(uri: string, kept: Kept, leaf: Leaf): void {
    if (this.#kept.get(uri) !== kept) {
      return;
    }
    clearTimeout(kept.timer);
    kept.leaf = Promise.resolve(leaf);
    this.#schedule(uri, kept, this.#lifetime / 2);
    for (const listener of this.#listeners) {
      listener(uri);
    }
  }

  #make(uri: string): Promise<Leaf> {
    const now = Date.now();
    // Clocks of two datacenters differ a little.
    return this.#issue({ uri, notBefore: new Date(now - 60_000), notAfter: new Date(now + this.#lifetime) });
  }
}
