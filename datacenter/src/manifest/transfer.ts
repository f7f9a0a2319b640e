import { type AgentClient, type AgentDeployment, AgentRefused, deploymentKey, parseManifest } from "@dcx/protocol";
import type { Home } from "../home/home";
import { PartialManifest } from "./partial";
import type { ManifestStore } from "./store";

/** When a holder counts as too slow. What it has given stays. */
export interface Patience {
  /** Milliseconds in which so many bytes have to come. */
  readonly window: number;
  readonly leastBytes: number;
  /** Milliseconds that a part takes after which another holder is tried for the next one. */
  readonly slowPart: number;
}

export const usualPatience: Patience = { window: 10_000, leastBytes: 16 * 1024, slowPart: 10_000 };

export interface TransferOptions {
  readonly home: Pick<Home, "records" | "seal">;
  readonly store: ManifestStore;
  readonly deployment: AgentDeployment;
  /** Hexadecimal. */
  readonly version: string;
  readonly patience: Patience;
}

/** What came of asking one holder. */
export interface Turn {
  readonly state: "complete" | "lacking" | "busy" | "broken";
  /** Whether it gave some of what was missing. */
  readonly progress: boolean;
  /** Why it is not complete. */
  readonly problem?: unknown;
}

/**
 * The way of one manifest from its holders to here, in parts. It goes on where it stopped with whichever holder is asked
 * next, for the text is the same everywhere. When the whole turns out to have another hash than the version, one of those
 * that gave parts lied: from then on each holder's parts are kept apart, so that a liar spoils its own alone.
 */
export class Transfer {
  readonly #options: TransferOptions;
  readonly #partials = new Map<string, PartialManifest>();
  #apart = false;

  constructor(options: TransferOptions) {
    this.#options = options;
  }

  /** For a log. */
  get what(): { readonly deployment: string; readonly version: string } {
    const { deployment, version } = this.#options;
    return { deployment: deploymentKey(deployment), version };
  }

  /** Fetches from one holder as long as it gives what is missing at a good pace. Never throws. */
  async from(holder: string, client: AgentClient, signal: AbortSignal): Promise<Turn> {
    const partial = this.#partialOf(holder);
    const before = partial.length;
    try {
      const state = await this.#fetch(partial, client, signal);
      return { state, progress: partial.length > before };
    } catch (problem) {
      const busy = problem instanceof AgentRefused && problem.status === 503;
      // Its text is shorter than what is here of it.
      if (problem instanceof AgentRefused && problem.status === 416) this.#doubt(partial);
      return { state: busy ? "busy" : "broken", progress: partial.length > before, problem };
    } finally {
      partial.flush();
    }
  }

  async #fetch(
    partial: PartialManifest,
    client: AgentClient,
    signal: AbortSignal,
  ): Promise<"complete" | "lacking" | "broken"> {
    const { deployment, patience, version } = this.#options;
    // Restarted in between: all may be here already.
    while (partial.digest !== version) {
      const began = performance.now();
      const progress = new Progress(patience, signal);
      let total: number;
      try {
        const part = await client.manifestPart(deployment, version, partial.length, progress.signal);
        if (part === undefined) return "lacking";
        total = part.total;
        for await (const bytes of part.content) {
          progress.note(bytes.length);
          partial.append(bytes);
        }
      } catch (error) {
        throw progress.signal.aborted ? progress.signal.reason : error;
      } finally {
        progress.end();
      }
      if (partial.length >= total && partial.digest !== version) {
        const { digest } = partial;
        this.#doubt(partial);
        throw new Error(`what came has the hash ${digest} in place of ${version}: it was changed, and is discarded`);
      }
      if (partial.length < total && performance.now() - began > patience.slowPart) return "broken";
    }
    await this.#keep(partial, client, signal);
    return "complete";
  }

  async #keep(partial: PartialManifest, client: AgentClient, signal: AbortSignal): Promise<void> {
    const { deployment, store, version } = this.#options;
    const stamps = await client.manifestStamps(deployment, version, { signal });
    const manifest = partial.bytes().toString("utf8");
    parseManifest(manifest);
    store.put(deploymentKey(deployment), version, { manifest, stamps });
    partial.discard();
    for (const other of this.#partials.values()) other.discard();
  }

  #partialOf(holder: string): PartialManifest {
    const { home, deployment, version } = this.#options;
    const giver = this.#apart ? holder : "";
    const known = this.#partials.get(giver);
    if (known !== undefined) return known;
    const partial = new PartialManifest(home, deploymentKey(deployment), version, giver);
    this.#partials.set(giver, partial);
    return partial;
  }

  #doubt(partial: PartialManifest): void {
    partial.discard();
    this.#apart = true;
  }
}

/** Aborts when too little comes, however long all of it takes. */
class Progress {
  readonly #stop = new AbortController();
  readonly #timer: NodeJS.Timeout;
  #bytes = 0;
  readonly signal: AbortSignal;

  constructor({ window, leastBytes }: Patience, ended: AbortSignal) {
    this.signal = AbortSignal.any([ended, this.#stop.signal]);
    this.#timer = setInterval(() => {
      const bytes = this.#bytes;
      this.#bytes = 0;
      if (bytes < leastBytes) this.#stop.abort(new Error(`too slow: ${bytes} bytes within ${window} ms`));
    }, window);
  }

  note(bytes: number): void {
    this.#bytes += bytes;
  }

  end(): void {
    clearInterval(this.#timer);
  }
}
