import {
  type AgentClient,
  type AgentDeployment,
  AgentRefused,
  deploymentKey,
  type ManifestPart,
  parseManifest,
} from "@dcx/protocol";
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
  /** Milliseconds that a holder is asked to wait for a manifest that it lacks, and for a place to fetch it in. */
  readonly wait: number;
}

export const usualPatience: Patience = { window: 10_000, leastBytes: 16 * 1024, slowPart: 10_000, wait: 10_000 };

export interface TransferOptions {
  readonly home: Pick<Home, "records" | "seal">;
  readonly store: ManifestStore;
  readonly deployment: AgentDeployment;
  /** Hexadecimal. */
  readonly version: string;
  readonly patience: Patience;
}

/** Why a holder that was asked gives nothing now. */
interface Declined {
  readonly state: "lacking" | "busy" | "broken";
  readonly problem?: unknown;
}

/** A holder that gives: it has to be either taken from or let go. */
export interface Giving {
  readonly state: "giving";
  /** Absent: all is here already. */
  readonly part: ManifestPart | undefined;
  /** Byte at which the part begins. */
  readonly from: number;
  readonly progress: Progress;
}

/** What came of fetching from one holder. */
export interface Turn {
  readonly state: "complete" | "slow" | Declined["state"];
  /** How much it gave of what was missing. */
  readonly bytes: number;
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

  /**
   * Asks one holder for what is missing. Never throws.
   * @param wait milliseconds that the holder is asked to wait until it has the manifest, and a place for this agent
   */
  async ask(holder: string, client: AgentClient, wait: number, signal: AbortSignal): Promise<Giving | Declined> {
    const { deployment, patience, version } = this.#options;
    const partial = this.#partialOf(holder);
    const from = partial.length;
    const progress = new Progress(patience, wait, signal);
    // Restarted in between: all may be here already.
    if (partial.digest === version) return { state: "giving", part: undefined, from, progress };
    try {
      const part = await client.manifestPart(deployment, version, from, progress.signal, wait);
      if (part !== undefined) return { state: "giving", part, from, progress };
      progress.end();
      return { state: "lacking" };
    } catch (error) {
      progress.end();
      const status = error instanceof AgentRefused ? error.status : undefined;
      // Its text is shorter than what is here of it.
      if (status === 416 && partial.length === from) this.#doubt(partial);
      const problem = progress.signal.aborted ? progress.signal.reason : error;
      return { state: status === 503 ? "busy" : "broken", problem };
    }
  }

  /** Fetches from one holder as long as it gives what is missing at a good pace. Never throws. */
  async take(holder: string, client: AgentClient, giving: Giving, signal: AbortSignal): Promise<Turn> {
    const partial = this.#partialOf(holder);
    const given = { bytes: 0 };
    try {
      if (partial.length !== giving.from) {
        giving.progress.abandon();
        return { state: "busy", bytes: 0 };
      }
      return { ...(await this.#fetch(partial, holder, client, giving, given, signal)), ...given };
    } catch (problem) {
      return { state: "broken", ...given, problem };
    } finally {
      partial.flush();
    }
  }

  async #fetch(
    partial: PartialManifest,
    holder: string,
    client: AgentClient,
    first: Giving,
    given: { bytes: number },
    signal: AbortSignal,
  ): Promise<Omit<Turn, "bytes">> {
    const { patience, version } = this.#options;
    let giving = first;
    for (;;) {
      const began = performance.now();
      await this.#read(partial, giving, given);
      if (partial.digest === version) break;
      if (partial.length >= (giving.part?.total ?? 0)) {
        const { digest } = partial;
        this.#doubt(partial);
        given.bytes = 0;
        throw new Error(`what came has the hash ${digest} in place of ${version}: it was changed, and is discarded`);
      }
      if (performance.now() - began > patience.slowPart) return { state: "slow" };
      const answer = await this.ask(holder, client, 0, signal);
      if (answer.state !== "giving") return answer;
      giving = answer;
    }
    await this.#keep(partial, client, signal);
    return { state: "complete" };
  }

  async #read(partial: PartialManifest, { part, progress }: Giving, given: { bytes: number }): Promise<void> {
    progress.begin();
    try {
      for await (const bytes of part?.content ?? []) {
        progress.note(bytes.length);
        partial.append(bytes);
        given.bytes += bytes.length;
      }
    } catch (error) {
      throw progress.signal.aborted ? progress.signal.reason : error;
    } finally {
      progress.end();
    }
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

/** Aborts when no answer comes in time, or too little of it, however long all of it takes. */
class Progress {
  readonly #stop = new AbortController();
  readonly #patience: Patience;
  readonly #ended: AbortSignal;
  readonly #onEnded = (): void => this.#stop.abort(this.#ended.reason);
  #timer: NodeJS.Timeout;
  #bytes = 0;

  /** @param wait milliseconds by which the answer may come later */
  constructor(patience: Patience, wait: number, ended: AbortSignal) {
    this.#patience = patience;
    this.#ended = ended;
    const longest = patience.window + wait;
    this.#timer = setTimeout(() => this.#stop.abort(new Error(`too slow: no answer within ${longest} ms`)), longest);
    if (ended.aborted) this.#onEnded();
    else ended.addEventListener("abort", this.#onEnded, { once: true });
  }

  get signal(): AbortSignal {
    return this.#stop.signal;
  }

  /** From now on bytes have to come. */
  begin(): void {
    const { window, leastBytes } = this.#patience;
    clearTimeout(this.#timer);
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
    clearTimeout(this.#timer);
    this.#ended.removeEventListener("abort", this.#onEnded);
  }

  /** Nobody wants what is asked for any more. */
  abandon(): void {
    this.end();
    this.#stop.abort(new Error("it is not wanted any more"));
  }
}
